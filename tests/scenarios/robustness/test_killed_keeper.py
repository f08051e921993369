"""A whole server whose keys are with the keeper of another user, which is killed in the middle."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from app.clock import SystemClock
from app.demo.counsellor import start_silent_telephone
from app.demo.served import Served
from app.demo.stage import ACCOUNT, LINE, TOKEN
from app.practice.exchange import Exchange, Number
from app.practice.rest.app import rest_app
from app.privacy.safe import derived
from tests.support.processes import KEY, SECRET, Program, ready, sign_in, true
from tests.support.profile import WHOLE
from tests.support.sealing.other_users_keeper import (
    OtherKeeper,
    cannot_be_another,
    memory_holds,
)
from tests.support.waiting import until

AWAY = "the keeper of the keys does not answer"
# Of the same length as the first one, and another.
_NEXT = base64.b64encode(hashlib.sha256(b"the second key of the tests").digest()).decode()
_CHILD = "+381641234567"


@pytest.fixture
def keeper() -> Iterator[OtherKeeper]:
    if not WHOLE:
        pytest.skip("it takes minutes: TESTS=whole")
    why = cannot_be_another()
    if why:
        pytest.skip(why)
    made = OtherKeeper()
    yield made
    made.forget()


@pytest.fixture
async def exchange(anyio_backend: str) -> AsyncIterator[Exchange]:
    made = Exchange(SystemClock(), ACCOUNT, TOKEN)
    made.api_keys[KEY] = SECRET
    yield made
    await made.close()


class Desk:
    """Ana at a whole server: she takes calls, and writes contacts with names in them."""

    def __init__(self, program: Program, client: httpx2.AsyncClient) -> None:
        self._api, self._client = f"{program.base}/api/v1", client
        self.base = program.base

    async def ask(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        return await self._client.request(method, self._api + path, json=body)

    async def write(self, name: str) -> httpx2.Response:
        body = {"channel": "email", "answers": {"child.a1.name": name}}
        return await self.ask("POST", "/contacts", body)

    async def written(self) -> dict[str, str]:
        """Return the name in each contact, each opened."""
        listed = (await self.ask("POST", "/contacts/search", {})).json()["contacts"]
        found = {}
        for one in listed:
            seen = await self.ask("GET", f"/contacts/{one['id']}")
            assert seen.status_code == 200, seen.text
            found[one["id"]] = str(seen.json()["answers"].get("child.a1.name"))
        return found

    async def readiness(self) -> tuple[int, str]:
        answer = await self._client.get(f"{self.base}/readyz")
        return answer.status_code, str(answer.json()["keys"])


async def _furnish(program: Program, password: str) -> None:
    for words in (
        ("staff", "add", "ana", "--password-stdin"),
        ("line", "add", LINE, "--languages", "sr,en"),
        ("shift", "add", "ana", "--always"),
    ):
        done = await asyncio.to_thread(program.run, *words, given=f"{password}\n")
        assert done.returncode == 0, done.stderr


@pytest.mark.timeout(900)
async def test_keys_in_another_users_keeper_serve_a_whole_server_and_outlive_its_death(
    new_folder: Callable[[], Path], keeper: OtherKeeper, exchange: Exchange, anyio_backend: str
) -> None:
    program = Program(new_folder())
    files = [program.data_dir / name for name in ("field_keys", "secret_key")]
    keys, secret_key = (file.read_text().strip() for file in files)
    # The keys stay the same; only who holds them is another.
    for file in files:
        file.unlink()
    keeper.secret_key = secret_key
    program.environment["HELPLINE_KEEPER_SOCKET"] = str(keeper.socket)
    keeper.begin(keys)
    password = "correct horse battery"
    await _furnish(program, password)
    rest = Served(rest_app(exchange), program.rest_port)
    await rest.start()
    base = program.base
    voice = f"{base}/telephony/voice"
    exchange.numbers[LINE] = Number(voice, f"{voice}/fallback", f"{base}/telephony/status")
    program.serve("--workers", "2")
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=20) as client:
            await ready(client, base)
            await sign_in(client, base, "ana", password)
            desk = Desk(program, client)
            assert (await desk.write("Zzmina")).status_code == 201
            await _takes_a_call(desk, exchange, client)
            _holds_no_key(program, keeper, keys)
            await _is_rotated(program, keeper, desk, keys)
            await _dies_and_is_back(keeper, desk, exchange, f"2:{_NEXT},{keys}")
            await _everything_is_sealed_anew(program)
        await asyncio.to_thread(program.stop)
        verified = await asyncio.to_thread(program.run, "audit", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        said = program.read_log() + keeper.log.read_text()
        for secret in ("Zz", keys.partition(":")[2], _NEXT, secret_key, _CHILD[1:]):
            assert secret not in said
        assert not any(file.exists() for file in files), "the program made no key of its own"
    finally:
        program.stop()
        await rest.stop()
        program.log.close()


async def _takes_a_call(desk: Desk, exchange: Exchange, client: httpx2.AsyncClient) -> None:
    await start_silent_telephone(exchange, client, desk.base)
    assert (await desk.ask("PUT", "/me/presence", {"state": "available"})).status_code == 200
    leg = exchange.ring(_CHILD, LINE)
    await until(lambda: true(leg.heard))
    exchange.press(leg, "1")
    offer = (await until(lambda: _offered(desk)))[0]
    assert (await desk.ask("POST", f"/offers/{offer['id']}/accept")).status_code == 200
    call = offer["call_id"]

    async def has_a_contact() -> bool:
        return (await desk.ask("GET", f"/calls/{call}/contact")).status_code == 200

    await until(has_a_contact, within=60)
    change = {"path": "child.a1.name", "value": "Zzluka", "base": 0}
    saved = await desk.ask("PUT", f"/calls/{call}/contact", {"changes": [change]})
    assert saved.status_code == 200, saved.text
    assert saved.json()["refused"] == {}
    await exchange.hang_up(leg)
    assert sorted((await desk.written()).values()) == ["Zzluka", "Zzmina"]


async def _offered(desk: Desk) -> Any:
    answer = await desk.ask("GET", "/offers/mine")
    return answer.json() if answer.status_code == 200 else None


def _holds_no_key(program: Program, keeper: OtherKeeper, keys: str) -> None:
    """The keys are in the memory of the keeper, and in that of no process of the program."""
    secret = keeper.secret_key.encode()
    of_sessions = derived(secret, b"helpline sessions")
    held = (base64.b64decode(keys.partition(":")[2]), secret, of_sessions)
    assert program.process is not None
    mine = psutil.Process(program.process.pid)
    processes = [mine, *mine.children(recursive=True)]
    ours = [one for one in processes if "postgres" not in one.name()]
    assert len(ours) == 4, "two for the web, one for the jobs, and who looks after them"
    for key in held:
        assert memory_holds(keeper.pid, key), "the search finds what is there"
        assert not any(memory_holds(one.pid, key) for one in ours)
    for one in ours:
        assert not {"HELPLINE_FIELD_KEYS", "HELPLINE_SECRET_KEY"} & set(one.environ())


async def _is_rotated(program: Program, keeper: OtherKeeper, desk: Desk, keys: str) -> None:
    """A keeper with a new key in front takes its place while the program runs."""
    keeper.kill()
    keeper.begin(f"2:{_NEXT},{keys}")
    # Requests wait for the one that is being restarted.
    assert "Zzmina" in (await desk.written()).values()
    done = await asyncio.to_thread(program.run, "keys", "rotate")
    assert done.stdout.startswith("Key 2 seals in a minute"), done.stderr


async def _dies_and_is_back(keeper: OtherKeeper, desk: Desk, exchange: Exchange, keys: str) -> None:
    before = await desk.written()
    answers: list[httpx2.Response] = []
    writing = [asyncio.create_task(_writes_until_refused(desk, n, answers)) for n in range(8)]
    while len(answers) < 4:
        await asyncio.sleep(0.001)
    keeper.kill()
    await asyncio.gather(*writing)
    kept = [one for one in answers if one.status_code == 201]
    lost = [one for one in answers if one.status_code != 201]
    assert len(kept) >= 4
    assert lost, "it was killed in the middle"
    for one in lost:
        assert one.status_code == 503, one.text
        assert AWAY in one.json()["detail"]
    first = next(iter(before))
    for method, path, body in (
        ("GET", f"/contacts/{first}", None),
        ("PUT", f"/contacts/{first}/answers", _renamed("Zzdrugo")),
    ):
        refused = await desk.ask(method, path, body)
        assert refused.status_code == 503, refused.text
        assert AWAY in refused.json()["detail"]
    status, why = await desk.readiness()
    assert status == 503
    assert AWAY in why
    # A child who rings now hears that we are there, and is not dropped.
    leg = exchange.ring(_CHILD, LINE)
    await until(lambda: true(leg.heard), within=30)
    assert not leg.over
    keeper.begin(keys)

    async def is_well() -> bool:
        return (await desk.readiness())[0] == 200

    await until(is_well, within=30)
    # What was answered with success is there, whole; nothing of the rest is.
    after = await desk.written()
    assert len(after) == len(before) + len(kept)
    assert {name: after[name] for name in before} == before
    assert all(after[one.json()["id"]].startswith("Zzdete") for one in kept)
    assert (await desk.ask("PUT", f"/contacts/{first}/answers", _renamed("Zzdrugo"))).is_success
    assert (await desk.written())[first] == "Zzdrugo"

    async def is_asked() -> bool:
        return any("pritisni 1" in one.text for one in leg.heard)

    await until(is_asked, within=60)
    exchange.press(leg, "1")
    await until(lambda: _waits(desk), within=60)
    await exchange.hang_up(leg)


async def _writes_until_refused(desk: Desk, number: int, answers: list[httpx2.Response]) -> None:
    while True:
        answers.append(await desk.write(f"Zzdete{number}"))
        if answers[-1].status_code != 201:
            return


def _renamed(name: str) -> dict[str, Any]:
    return {"changes": [{"path": "child.a1.name", "value": name, "base": 1}]}


async def _waits(desk: Desk) -> bool:
    """Return whether a child waits, or rings at Ana."""
    return bool((await desk.ask("GET", "/queue")).json() or await _offered(desk))


async def _everything_is_sealed_anew(program: Program) -> None:
    """After a minute the new key seals, and a job seals what the old one has sealed."""

    async def nothing_is_left() -> bool:
        done = await asyncio.to_thread(program.run, "keys", "status")
        lines = done.stdout.splitlines()
        return any(one.startswith("key 2\tseals\t") for one in lines) and any(
            one.startswith("key 1\topens\t0 ") for one in lines
        )

    await until(nothing_is_left, within=180, every=5)
