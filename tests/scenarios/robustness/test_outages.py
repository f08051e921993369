"""Real outages in real time: processes killed with -9, and no waiting or talking caller lost.

One outage, with a caller who talks, one who waits and one who rings, is in
`test_killed_processes.py`; what is found afterwards, in `provider/test_rings_while_away.py`.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.clock import SystemClock
from app.demo.counsellor import start_silent_telephone
from app.demo.served import Served
from app.demo.stage import ACCOUNT, LINE, TOKEN
from app.practice.exchange import Exchange, Number
from app.practice.legs import Leg
from app.practice.rest.app import rest_app
from tests.support.processes import KEY, SECRET, Program, ready, sign_in
from tests.support.profile import WHOLE
from tests.support.waiting import until

PASSWORD = "correct horse battery"


# Rings that the server never heard of are looked for at these intervals, and not once a minute.
SOONER = (
    ("app.worker", "COMPARED_EVERY", 5),
    ("app.telephony.reconcile.ended_rings", "SETTLED_AFTER", timedelta(seconds=15)),
)
# How long the server is away, in seconds, one outage after the other in each house.
OUTAGES = ((2, 5, 10), (30,))
# How many callers wait meanwhile.
WAITING = 6


class Room:
    """A server that can be killed, the exchange, and a counsellor at a browser."""

    def __init__(self, folder: Path) -> None:
        self.program = Program(folder, sooner=SOONER)
        self.exchange = Exchange(SystemClock(), ACCOUNT, TOKEN)
        self.exchange.calls_per_second = 1000
        self.exchange.api_keys[KEY] = SECRET
        self.exchange.numbers[LINE] = Number("http://127.0.0.1:1/")
        self.rest = Served(rest_app(self.exchange), self.program.rest_port)
        self.client = httpx2.AsyncClient(trust_env=False, timeout=20)

    async def open(self) -> None:
        program = self.program
        program.environment["HELPLINE_CALLS_PER_SECOND"] = "1000"
        await self.rest.start()
        for words, given in (
            (("staff", "add", "ana", "--password-stdin"), PASSWORD + "\n"),
            (("line", "add", LINE, "--languages", "sr,en"), ""),
            (("shift", "add", "ana", "--always"), ""),
            (("telephony", "setup"), ""),
        ):
            done = await asyncio.to_thread(program.run, *words, given=given)
            assert done.returncode == 0, done.stderr
        program.serve()
        await ready(self.client, program.base)
        await sign_in(self.client, program.base, "ana", PASSWORD)
        await start_silent_telephone(self.exchange, self.client, program.base)
        await self.on_duty()

    async def on_duty(self) -> None:
        """Ana's browser says that she is at her desk, as it does every few seconds."""
        done = await self.ask("PUT", "/me/presence", {"state": "available"})
        assert done.status_code == 200, done.text

    async def close(self) -> None:
        self.program.stop()
        await self.exchange.close()
        await self.client.aclose()
        await self.rest.stop()

    async def ask(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        url = f"{self.program.base}/api/v1{path}"
        return await self.client.request(method, url, json=body)

    async def ring(self, number: int) -> Leg:
        leg = self.exchange.ring(f"+3816412{number:05d}", LINE)
        await until(lambda: _true(leg.heard))
        return leg

    async def waiting(self, number: int) -> Leg:
        """Let a caller ring, choose a language and wait."""
        leg = await self.ring(number)
        self.exchange.press(leg, "1")
        await until(lambda: _true(leg.waits_in))
        return leg

    async def take(self) -> str:
        """Ana takes the call that rings, and talks; the id of the call."""
        await self.on_duty()

        async def offered() -> Any:
            found = (await self.ask("GET", "/offers/mine")).json()
            return found[0] if found else None

        async def connected() -> Any:
            found = await offered()
            return found if found and found["state"] == "connected" else None

        offer = await until(offered)
        assert (await self.ask("POST", f"/offers/{offer['id']}/accept")).status_code == 200
        return str((await until(connected))["call_id"])


async def _true(value: object) -> bool:
    return bool(value)


@pytest.mark.skipif(not WHOLE, reason="again and again: with TESTS=whole")
@pytest.mark.anyio
@pytest.mark.timeout(300)
async def test_killed_and_started_again_after_two_to_thirty_seconds(
    new_folder: Callable[[], Path],
) -> None:
    await asyncio.gather(*(_outages(new_folder(), times) for times in OUTAGES))


async def _outages(folder: Path, outages: tuple[int, ...]) -> None:
    room = Room(folder)
    await room.open()
    try:
        talking = await room.waiting(1)
        call_id = await room.take()
        waiting = [await room.waiting(10 + n) for n in range(WAITING)]
        rung: list[Leg] = []
        for outage in outages:
            room.program.kill()
            begun = asyncio.get_running_loop().time()
            # One rings and stays, one rings and gives up.
            stays, gives_up = (
                room.exchange.ring(f"+38164120{len(rung) + n:04d}", LINE) for n in (1, 2)
            )
            rung += [stays, gives_up]
            await asyncio.sleep(1)
            await room.exchange.hang_up(gives_up)
            await asyncio.sleep(max(0, outage - (asyncio.get_running_loop().time() - begun)))
            room.program.serve()
            await ready(room.client, room.program.base)
            await until(lambda leg=stays: _true(leg.has_heard("ovde Child helpline")), within=40)
            for leg in (*waiting, talking, stays):
                assert not leg.over, f"{outage} s: {leg.ending}"
        for leg in waiting:
            await until(lambda leg=leg: _true(leg.waits_in), within=40)
        found = room.exchange.conferences.of_leg(talking)
        assert found is not None
        assert len(found[0].participants) == 2
        # Only the sound could not be fetched while no server ran.
        assert [x for x in room.exchange.faults if "waiting.wav" not in x] == []
        # The talk is still hers, and the next of those who waited is reached.
        assert (await room.ask("POST", f"/calls/{call_id}/hang-up")).status_code == 204
        await room.take()

        async def all_recorded() -> bool:
            calls = (await room.ask("GET", "/calls")).json()
            return "calls" in calls

        await until(all_recorded)
        inbound = [x for x in room.exchange.legs.values() if x.direction == "inbound"]
        for leg in inbound:
            if not leg.over:
                await room.exchange.hang_up(leg)
        await _every_ring_is_a_record(room, inbound)
    finally:
        await room.close()


async def _every_ring_is_a_record(room: Room, inbound: list[Leg]) -> None:
    """Asked of the database, since a counsellor sees only calls of her own."""
    import psycopg

    from app.database.embedded import EmbeddedPostgres

    with EmbeddedPostgres(room.program.data_dir) as server:

        async def known() -> bool:
            async with await psycopg.AsyncConnection.connect(server.url) as connection:
                rows = await (
                    await connection.execute(
                        "SELECT provider_sid FROM calls WHERE ended_at IS NOT NULL"
                    )
                ).fetchall()
            return {row[0] for row in rows} >= {leg.sid for leg in inbound}

        await until(known, within=140)
