"""Killed between the ring in the browser and that of the counsellor's second telephone: the caller
keeps waiting, and one leg of one counsellor is in the talk.

With a server that is replaced it is told in `calls/test_second_phone.py`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
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
from app.practice.people import Phone
from app.practice.rest.app import rest_app
from tests.support.processes import KEY, SECRET, Program, ready, sign_in, true
from tests.support.profile import WHOLE
from tests.support.waiting import until

CHILD, PHONE = "+381641234567", "+381641111111"
PASSWORD = "correct horse battery"


@pytest.mark.skipif(not WHOLE, reason="killed once more: with TESTS=whole")
@pytest.mark.anyio
async def test_no_caller_is_lost_and_no_counsellor_rung_twice_for_one_offer(
    new_folder: Callable[[], Path],
) -> None:
    program = Program(new_folder())
    for words, given in [
        (("staff", "add", "ana", "--password-stdin"), PASSWORD + "\n"),
        (("line", "add", LINE, "--languages", "sr,en"), ""),
        (("shift", "add", "ana", "--always"), ""),
    ]:
        done = await asyncio.to_thread(program.run, *words, given=given)
        assert done.returncode == 0, done.stderr
    exchange = Exchange(SystemClock(), ACCOUNT, TOKEN)
    exchange.api_keys[KEY] = SECRET
    rest = Served(rest_app(exchange), program.rest_port)
    await rest.start()
    base = program.base
    exchange.numbers[LINE] = Number(
        f"{base}/telephony/voice", f"{base}/telephony/voice/fallback", f"{base}/telephony/status"
    )
    program.serve()
    try:
        async with httpx2.AsyncClient(
            trust_env=False, timeout=10, base_url=base + "/api/v1"
        ) as client:
            await ready(client, base)
            await sign_in(client, base, "ana", PASSWORD)
            await start_silent_telephone(exchange, client, base)
            await _prove(exchange, client)
            await client.put("/me/presence", json={"state": "available"})
            leg = exchange.ring(CHILD, LINE)
            await until(lambda: true(leg.heard))
            exchange.press(leg, "1")
            await until(lambda: _offer(client))
            await _killed_twice(program, exchange, client)
            await until(lambda: _connected(client), within=90)
            _one_talk(exchange, leg)
            await exchange.hang_up(leg)
            await _as_recorded(exchange, client)
        await asyncio.to_thread(program.stop)
        verified = await asyncio.to_thread(program.run, "audit", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
    finally:
        program.stop()
        await exchange.close()
        await rest.stop()
        program.log.close()


async def _prove(exchange: Exchange, client: httpx2.AsyncClient) -> None:
    """Choose the telephone, and enter the code there when it rings."""
    phone = exchange.phones[PHONE] = Phone(understands=False, presses=None)
    chosen = await client.put("/me/second-phone", json={"number": PHONE})
    assert chosen.status_code == 200, chosen.text
    phone.presses = chosen.json()["code"]

    async def proven() -> bool:
        return bool((await client.get("/me/second-phone")).json()["proven"])

    await until(proven, within=60)
    await until(lambda: true(not _up(exchange)))
    exchange.phones[PHONE] = Phone(picks_up=6)
    for sid in [one.sid for one in _to_phone(exchange)]:
        del exchange.legs[sid]


async def _killed_twice(program: Program, exchange: Exchange, client: httpx2.AsyncClient) -> None:
    """Kill the server while only the browser rings, and again as the telephone begins to."""
    program.kill()
    assert not _to_phone(exchange), "the browser rings alone"
    program.serve()
    await ready(client, program.base)
    await until(lambda: true(_to_phone(exchange)), within=60, every=0.01)
    program.kill()
    program.serve()
    await ready(client, program.base)


async def _offer(client: httpx2.AsyncClient) -> Any:
    answer = await client.get("/offers/mine")
    return answer.json()[0] if answer.status_code == 200 and answer.json() else None


async def _connected(client: httpx2.AsyncClient) -> bool:
    found = await _offer(client)
    state = (await client.get("/me")).json()["presence"]["state"]
    if found is None and state == "away":
        # The restart took longer than the offer, and she comes back.
        await client.put("/me/presence", json={"state": "available"})
    return found is not None and found["state"] == "connected"


def _to_phone(exchange: Exchange) -> list[Leg]:
    return [leg for leg in exchange.legs.values() if leg.to == PHONE]


def _up(exchange: Exchange) -> list[Leg]:
    return [leg for leg in _to_phone(exchange) if not leg.over]


def _one_talk(exchange: Exchange, child: Leg) -> None:
    assert not child.over
    found = exchange.conferences.of_leg(child)
    assert found is not None
    inside = {one.leg.sid for one in found[0].participants.values()}
    assert inside == {child.sid, *(leg.sid for leg in _up(exchange))}
    assert len(_up(exchange)) == 1, "one leg of the counsellor, at the telephone"


async def _as_recorded(exchange: Exchange, client: httpx2.AsyncClient) -> None:
    """Compare the record with what the exchange has seen."""

    async def ended() -> Any:
        calls = (await client.get("/calls")).json()["calls"]
        return calls if calls and calls[0]["outcome"] else None

    (call,) = await until(ended)
    assert call["outcome"] == "answered"
    events = (await client.get(f"/calls/{call['id']}/events")).json()
    kinds = Counter(one["kind"] for one in events)
    assert kinds["telephone_rung_instead"] == len(_to_phone(exchange)), "each offer rings it once"
    assert kinds["telephone_rung_instead"] <= kinds["offer"]
    assert kinds["offer_accepted"] == kinds["connect"] == 1
