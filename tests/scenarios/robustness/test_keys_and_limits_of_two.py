"""Two web processes while field keys are changed, while both dial, and after an end of access."""

import asyncio
import contextlib
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import psycopg
import pytest

from app.database.embedded import EmbeddedPostgres
from tests.support.profile import nightly
from tests.support.sharing.pair import Pair, pair_in
from tests.support.waiting import until

# A mobile of the country of the line.
_DIALLED = "+381641230000"
_LATER = "UPDATE field_keys SET seals_from = seals_from - interval '6 minutes'"


class Writing:
    """Contacts that are written at one process and read at the other, all the time."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        # By contact, what was written in it.
        self.written: dict[str, str] = {}

    async def once(self, writer: httpx2.AsyncClient, reader: httpx2.AsyncClient) -> None:
        words = f"Mirno {len(self.written)} {secrets.token_hex(4)}"
        url = f"{self._pair.api}/contacts"
        answers = {"contact.headline": words}
        made = await writer.post(url, json={"channel": "email", "answers": answers})
        assert made.status_code == 201, made.text
        at = f"{url}/{made.json()['id']}"
        change = {"path": "contact.headline", "value": f"{words}, zatim", "base": 1}
        changed = await reader.put(f"{at}/answers", json={"changes": [change]})
        assert (changed.status_code, changed.json()["refused"]) == (200, {}), changed.text
        self.written[made.json()["id"]] = f"{words}, zatim"
        await self.read(writer, made.json()["id"])

    async def read(self, reader: httpx2.AsyncClient, contact_id: str) -> None:
        read = await reader.get(f"{self._pair.api}/contacts/{contact_id}")
        assert read.status_code == 200, read.text
        assert self.written[contact_id] in read.text

    async def all_are_read(self) -> None:
        for client in self._pair.at["ana"]:
            for one in self.written:
                await self.read(client, one)

    @contextlib.asynccontextmanager
    async def goes_on(self, *pairs: tuple[Any, Any]) -> AsyncIterator[None]:
        """Write at the first and read at the second of each pair of clients, until it is left."""
        over = asyncio.Event()

        async def go_on(writer: Any, reader: Any) -> None:
            while not over.is_set():
                await self.once(writer, reader)
                await asyncio.sleep(0.1)

        going = [asyncio.create_task(go_on(*one)) for one in pairs]
        try:
            yield
        finally:
            over.set()
            await asyncio.gather(*going)


@nightly
@pytest.mark.timeout(600)
async def test_two_processes_read_and_write_while_the_field_key_is_changed(
    new_folder: Callable[[], Any], anyio_backend: str
) -> None:
    async with pair_in(new_folder()) as pair:
        old = (pair.program.data_dir / "field_keys").read_text().strip()
        new = f"2:{b64encode(secrets.token_bytes(32)).decode()}"
        writing = Writing(pair)
        await _a_new_key_comes(pair, writing, f"{new},{old}")
        first, second = pair.at["ana"]
        async with writing.goes_on((first, second), (second, first)):
            await pair.command("keys", "rotate")
            await until(lambda: _seals(pair, 2), "the new key seals", within=90, every=1)
            # What was being written at that moment may still have the old one.
            await until(lambda: _sealed_anew(pair), "nothing is left", within=90, every=1)
            before = len(writing.written)
            refused = await asyncio.to_thread(pair.program.run, "keys", "retire", "1")
            assert "five minutes" in refused.stderr + refused.stdout
            with EmbeddedPostgres(pair.program.data_dir) as server:
                async with await psycopg.AsyncConnection.connect(server.owner_url) as connection:
                    await connection.execute(_LATER)
            await pair.command("keys", "retire", "1")
            await until(lambda: len(writing.written) > before + 20, within=60)
            assert await _values(pair, 1) == 0, "nothing is written with the old one any more"
        await writing.all_are_read()
        await _the_old_one_leaves(pair, writing, new)
        assert "CannotOpen" not in pair.program.read_log()


async def _a_new_key_comes(pair: Pair, writing: Writing, keys: str) -> None:
    """Both processes are replaced, and meanwhile others with the old settings serve, too."""
    first, second = pair.at["ana"]
    async with writing.goes_on((first, second), (second, first)):
        await until(lambda: len(writing.written) > 4, within=60)
    async with _without_a_process(pair) as either, writing.goes_on((either, either)):
        await pair.replace(HELPLINE_FIELD_KEYS=keys)
    await writing.all_are_read()


async def _the_old_one_leaves(pair: Pair, writing: Writing, new: str) -> None:
    async with _without_a_process(pair) as either, writing.goes_on((either, either)):
        await pair.replace(HELPLINE_FIELD_KEYS=new)
    await writing.all_are_read()
    first, second = pair.at["ana"]
    await writing.once(first, second)
    await writing.once(second, first)


@contextlib.asynccontextmanager
async def _without_a_process(pair: Pair) -> AsyncIterator[httpx2.AsyncClient]:
    """Ana's client with a new connection for each request, which any process takes."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with httpx2.AsyncClient(trust_env=False, timeout=30, limits=limits) as client:
        client.cookies = pair.at["ana"][0].cookies
        yield client


async def _keys(pair: Pair) -> dict[int, list[str]]:
    done = await asyncio.to_thread(pair.program.run, "keys", "status")
    assert done.returncode == 0, done.stderr
    lines = [one.split("\t") for one in done.stdout.splitlines() if one.startswith("key ")]
    return {int(one[0].removeprefix("key ")): one[1:] for one in lines}


async def _seals(pair: Pair, number: int) -> bool:
    return (await _keys(pair))[number][0] == "seals"


async def _sealed_anew(pair: Pair) -> bool:
    await pair.command("keys", "reseal")
    return await _values(pair, 1) == 0


async def _values(pair: Pair, number: int) -> int:
    return int((await _keys(pair))[number][1].split()[0])


@nightly
@pytest.mark.timeout(600)
async def test_limits_of_dialling_and_ends_of_access_hold_over_both_processes(
    new_folder: Callable[[], Any], anyio_backend: str
) -> None:
    async with pair_in(new_folder()) as pair:
        await _what_a_person_may_dial(pair)
        await _addresses_that_were_withdrawn(pair)


async def _what_a_person_may_dial(pair: Pair) -> None:
    """Requests at both at once: as many are dialled as the limit says, also after it was changed
    at one of them."""
    first, second = pair.at["mila"]

    async def asked(client: httpx2.AsyncClient, means: str, said: list[int]) -> None:
        url = f"{pair.api}/connections/{means}/test"
        for _ in range(4):
            answer = await client.post(url, json={"number": _DIALLED})
            said.append(answer.status_code)
            assert answer.status_code in (202, 429), answer.text

    dialled = 0
    for limit in (3, 5, 8):
        changed = await first.put(f"{pair.api}/dialling", json={"person_hour": limit})
        assert changed.status_code == 200, changed.text

        async def all_are_dialled(limit: int = limit) -> bool:
            nonlocal dialled
            at_first, at_second = list[int](), list[int]()
            # Each of the means has a lock of its own: only that of the person is common.
            await asyncio.gather(
                asked(first, "telephony", at_first), asked(second, "sms", at_second)
            )
            dialled += [*at_first, *at_second].count(202)
            assert dialled <= limit
            return dialled == limit

        await until(all_are_dialled, str(limit), within=20)
    told = (await second.get(f"{pair.api}/dialling")).json()
    assert (told["person_hour"], told["last_hour"]) == (8, 8)


async def _addresses_that_were_withdrawn(pair: Pair) -> None:
    """What opened at the second process opens there no more, at once."""
    first, second = pair.at["mila"]
    made = await first.post(f"{pair.api}/wallboards", json={"name": "Hodnik"})
    assert made.status_code == 201, made.text
    (wall,) = (await second.get(f"{pair.api}/wallboards")).json()
    feed = await first.post(f"{pair.api}/me/calendar-feed")
    assert feed.status_code == 201, feed.text
    for address, withdrawn in (
        (made.json()["address"], ("POST", f"{pair.api}/wallboards/{wall['id']}/withdraw")),
        (feed.json()["address"], ("DELETE", f"{pair.api}/me/calendar-feed")),
    ):
        assert (await second.get(address)).status_code == 200
        ended = await first.request(*withdrawn)
        assert ended.status_code == 204, ended.text
        assert (await second.get(address)).status_code == 404
