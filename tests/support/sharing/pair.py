"""A helpline with two web processes, each of which can be asked by itself."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from urllib.parse import urljoin
from uuid import uuid4

import httpx2

from app.clock import SystemClock
from app.demo.served import Served
from app.demo.stage import ACCOUNT, LINE, TOKEN
from app.practice.exchange import Exchange, Number
from app.practice.rest.app import rest_app
from app.practice.wire import sign
from tests.support.processes import KEY, SECRET, Program, ready, sign_in
from tests.support.sharing.pinned import pinned, web_processes

PASSWORD = "correct horse battery"
PEOPLE = {"ana": "counsellor", "nino": "counsellor", "mila": "administrator"}


class Pair:
    """A helpline with two web processes, and a client of each person at each of them."""

    def __init__(self, program: Program, exchange: Exchange) -> None:
        self.program, self.exchange = program, exchange
        self.api = f"{program.base}/api/v1"
        # The last call that was greeted.
        self.last = ""
        # By person, those at the first and at the second process.
        self.at: dict[str, tuple[httpx2.AsyncClient, httpx2.AsyncClient]] = {}
        self._pins = contextlib.AsyncExitStack()

    async def answer_to(self, number: str, digit: str) -> str:
        """Return what the second process says to a caller who presses a key in the menu."""
        document, sid = await self.greeting(number), self.last
        (path,) = set(re.findall(r'<Gather[^>]*action="([^"]+)"', document))
        url = urljoin(self.program.base, unescape(path).partition("#")[0])
        return await self._heard(url, number, sid, Digits=digit)

    async def command(self, *words: str, given: str = "") -> None:
        done = await asyncio.to_thread(self.program.run, *words, given=given)
        assert done.returncode == 0, done.stderr

    async def pin(self) -> None:
        """Let each person who is signed in, or a new one, have a client at each process."""
        assert self.program.process is not None
        web = web_processes(self.program.process.pid)
        assert len(web) == 2
        for name in PEOPLE:
            first, second = [
                await self._pins.enter_async_context(pinned(self.program.base, one, web))
                for one in web
            ]
            if name in self.at:
                first.cookies = self.at[name][0].cookies
            else:
                await sign_in(first, self.program.base, name, PASSWORD)
            # The session that began at the first process opens at the second.
            second.cookies = first.cookies
            self.at[name] = first, second

    async def let_go(self) -> None:
        await self._pins.aclose()
        self._pins = contextlib.AsyncExitStack()

    async def replace(self, **environment: str) -> None:
        """Replace both processes, without a gap, by two with other settings."""
        before = self.program.process
        assert before is not None
        await self.let_go()
        self.program.environment |= environment
        self.program.serve("--workers", "2", "--replace")
        assert await asyncio.to_thread(before.wait, 60) == 0
        await self.pin()

    async def greeting(self, number: str) -> str:
        """Return what the second process says to a caller of a number."""
        self.last = f"CA{uuid4().hex}"
        return await self._heard(f"{self.program.base}/telephony/voice", number, self.last)

    async def _heard(self, url: str, number: str, sid: str, **more: str) -> str:
        fields = [
            ("CallSid", sid),
            ("AccountSid", ACCOUNT),
            ("To", number),
            ("From", "+381641110000"),
            ("CallStatus", "in-progress" if more else "ringing"),
            *more.items(),
        ]
        headers = {"X-Twilio-Signature": sign(TOKEN, url, fields)}
        answer = await self.at["mila"][1].post(url, data=dict(fields), headers=headers)
        assert answer.status_code == 200
        return answer.text


@contextlib.asynccontextmanager
async def pair_in(folder: Path) -> AsyncIterator[Pair]:
    exchange, program = Exchange(SystemClock(), ACCOUNT, TOKEN), Program(folder)
    exchange.api_keys[KEY] = SECRET
    voice = f"{program.base}/telephony/voice"
    exchange.numbers[LINE] = Number(voice, f"{voice}/fallback", f"{program.base}/telephony/status")
    rest = Served(rest_app(exchange), program.rest_port)
    await rest.start()
    pair = Pair(program, exchange)
    try:
        await pair.command("line", "add", LINE, "--languages", "sr,en")
        for name, role in PEOPLE.items():
            words = ("staff", "add", name, "--role", role, "--password-stdin")
            await pair.command(*words, given=f"{PASSWORD}\n")
        await pair.command("shift", "add", "ana", "--always")
        program.serve("--workers", "2")
        async with httpx2.AsyncClient(trust_env=False, timeout=20) as client:
            await ready(client, program.base)
        await pair.pin()
        yield pair
    finally:
        await pair.let_go()
        program.stop()
        await exchange.close()
        await rest.stop()
        program.log.close()
