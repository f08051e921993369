"""Two web processes beside each other: each learns at once of what was changed at the other."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psutil
import pytest

from app.clock import SystemClock
from app.demo.stage import ACCOUNT, LINE, TOKEN, Served, start_silent_telephone
from app.practice.exchange import Exchange, Number
from app.practice.rest.app import rest_app
from app.practice.wire import sign
from tests.scenarios.robustness.pinned import pinned, web_processes
from tests.support.processes import KEY, SECRET, Program, ready, sign_in, true
from tests.support.profile import nightly
from tests.support.waiting import until

PASSWORD = "correct horse battery"
PAGE_WORDS = b'msgid "Languages"\nmsgstr "Jezici sveta"\n'
_PO = {"content-type": "text/x-gettext-translation"}


class Pair:
    """A helpline with two web processes, and a client of each person at each of them."""

    def __init__(self, program: Program, exchange: Exchange) -> None:
        self.program, self.exchange = program, exchange
        self.api = f"{program.base}/api/v1"
        # By person, those at the first and at the second process.
        self.at: dict[str, tuple[httpx2.AsyncClient, httpx2.AsyncClient]] = {}

    async def command(self, *words: str, given: str = "") -> None:
        done = await asyncio.to_thread(self.program.run, *words, given=given)
        assert done.returncode == 0, done.stderr

    async def greeting(self, number: str) -> str:
        """Return what the second process says to a caller of a number."""
        url = f"{self.program.base}/telephony/voice"
        fields = [
            ("CallSid", f"CA{uuid4().hex}"),
            ("AccountSid", ACCOUNT),
            ("To", number),
            ("From", "+381641110000"),
            ("CallStatus", "ringing"),
        ]
        headers = {"X-Twilio-Signature": sign(TOKEN, url, fields)}
        answer = await self.at["mila"][1].post(url, data=dict(fields), headers=headers)
        assert answer.status_code == 200
        return answer.text


@contextlib.asynccontextmanager
async def _pair(folder: Path) -> AsyncIterator[Pair]:
    exchange, program = Exchange(SystemClock(), ACCOUNT, TOKEN), Program(folder)
    exchange.api_keys[KEY] = SECRET
    voice = f"{program.base}/telephony/voice"
    exchange.numbers[LINE] = Number(voice, f"{voice}/fallback", f"{program.base}/telephony/status")
    rest = Served(rest_app(exchange), program.rest_port)
    await rest.start()
    pair = Pair(program, exchange)
    try:
        async with contextlib.AsyncExitStack() as stack:
            await pair.command("line", "add", LINE, "--languages", "sr,en")
            for name, role in (("ana", "counsellor"), ("mila", "administrator")):
                words = ("staff", "add", name, "--role", role, "--password-stdin")
                await pair.command(*words, given=f"{PASSWORD}\n")
            await pair.command("shift", "add", "ana", "--always")
            program.serve("--workers", "2")
            async with httpx2.AsyncClient(trust_env=False, timeout=20) as client:
                await ready(client, program.base)
            assert program.process is not None
            web = web_processes(program.process.pid)
            assert len(web) == 2
            for name in ("ana", "mila"):
                first, second = [
                    await stack.enter_async_context(pinned(program.base, one, web)) for one in web
                ]
                await sign_in(first, program.base, name, PASSWORD)
                # The session that began at the first process opens at the second.
                second.cookies = first.cookies
                pair.at[name] = first, second
            yield pair
    finally:
        program.stop()
        await exchange.close()
        await rest.stop()
        program.log.close()


@nightly
@pytest.mark.timeout(600)
async def test_each_of_two_web_processes_learns_of_what_the_other_one_changes(
    new_folder: Callable[[], Path], anyio_backend: str
) -> None:
    async with _pair(new_folder()) as pair:
        await _lines_numbers_and_words(pair)
        await _a_call_that_is_taken_at_the_other_process(pair)
        await _a_live_stream_until_its_person_signs_out(pair)
        await _guesses_are_counted_together(pair)
        await _all_end_with_their_parent_and_are_served_again(pair)


async def _lines_numbers_and_words(pair: Pair) -> None:
    first, second = pair.at["mila"]
    (line,) = (await first.get(f"{pair.api}/lines")).json()
    at, other = f"{pair.api}/lines/{line['id']}", "+381113334444"

    async def changed(method: str, path: str, body: Any, number: str, words: str) -> None:
        answer = await first.request(method, at + path, json=body)
        assert answer.status_code < 300, answer.text
        await until(lambda: _says(pair, number, words), words, every=0.02, within=5)

    assert "Nova" not in await pair.greeting(LINE), "it is remembered from now on"
    await changed("PATCH", "", {"name": "Nova linija"}, LINE, "Nova linija")
    await changed("PATCH", "/numbers", {"leads_here": [other]}, other, "Nova linija")
    await changed(
        "PUT", "/prompts/sr/greeting", {"text": "Zdravo, ovo je proba."}, LINE, "ovo je proba"
    )
    changes = (await first.get(f"{at}/changes")).json()
    of_numbers = next(one for one in changes if one["part"] == "numbers")
    back = await second.post(f"{at}/changes/{of_numbers['id']}/back")
    assert back.status_code == 204, back.text
    assert (await first.get(at)).json()["leads_here"] == []
    chosen = await first.put(f"{pair.api}/me/page-language", json={"language": "sr"})
    assert chosen.status_code == 204
    page = f"{pair.program.base}/admin/lines/{line['id']}"
    url = f"{pair.api}/languages/sr/pages"
    assert (await first.post(url, content=PAGE_WORDS, headers=_PO)).status_code == 201

    async def shown() -> bool:
        return "Jezici sveta" in (await second.get(page)).text

    await until(shown, "a translation", within=20)


async def _says(pair: Pair, number: str, words: str) -> bool:
    return words in await pair.greeting(number)


async def _a_call_that_is_taken_at_the_other_process(pair: Pair) -> None:
    first, second = pair.at["ana"]

    async def offered(state: str) -> Any:
        answer = await second.get(f"{pair.api}/offers/mine")
        found = answer.json() if answer.status_code == 200 else []
        return [one for one in found if one["state"] == state]

    await start_silent_telephone(pair.exchange, first, pair.program.base)
    free = await first.put(f"{pair.api}/me/presence", json={"state": "available"})
    assert free.status_code == 200
    leg = pair.exchange.ring("+381641234567", LINE)
    await until(lambda: true(leg.heard))
    pair.exchange.press(leg, "1")
    (offer,) = await until(lambda: offered("open"))
    taken = await second.post(f"{pair.api}/offers/{offer['id']}/accept")
    assert taken.status_code == 200
    await until(lambda: offered("connected"))
    await pair.exchange.hang_up(leg)

    async def ended() -> bool:
        calls = (await pair.at["mila"][0].get(f"{pair.api}/calls")).json()["calls"]
        return any(one["outcome"] == "answered" for one in calls)

    await until(ended)


async def _a_live_stream_until_its_person_signs_out(pair: Pair) -> None:
    (first, second), heard = pair.at["ana"], list[str]()

    async def listen() -> None:
        # A connection of its own, which either process takes.
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
            client.cookies = second.cookies
            async with client.stream("GET", f"{pair.api}/events") as stream:
                async for line in stream.aiter_lines():
                    heard.append(line)

    listening = [asyncio.create_task(listen()) for _ in range(6)]
    await until(lambda: sum("everything" in one for one in heard) == len(listening))
    hours = {"opening_hours": "Mo-Su 08:00-20:00"}
    (line,) = (await pair.at["mila"][0].get(f"{pair.api}/lines")).json()
    await pair.at["mila"][0].patch(f"{pair.api}/lines/{line['id']}", json=hours)
    await until(lambda: sum('"lines"' in one for one in heard) >= len(listening))
    assert (await first.delete(f"{pair.api}/session")).status_code == 204

    async def is_out() -> bool:
        return (await second.get(f"{pair.api}/me")).status_code == 401

    await until(is_out, every=0.02, within=5)
    await asyncio.wait_for(asyncio.gather(*listening), 10)


async def _guesses_are_counted_together(pair: Pair) -> None:
    """Ten a minute of a name, whichever process is asked."""
    guess = {"username": "olga", "password": "wrong wrong wrong"}
    said = [
        (await pair.at["mila"][number % 2].post(f"{pair.api}/session", json=guess)).status_code
        for number in range(12)
    ]
    assert said == [401] * 10 + [429] * 2


async def _all_end_with_their_parent_and_are_served_again(pair: Pair) -> None:
    """As if the system had killed it for want of memory."""
    assert pair.program.process is not None
    parent = pair.program.process
    children = psutil.Process(parent.pid).children()
    assert len(children) == 3
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(10)
    _gone, alive = await asyncio.to_thread(psutil.wait_procs, children, 20)
    assert alive == []
    pair.program.serve("--workers", "2")
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as client:
        await ready(client, pair.program.base)
