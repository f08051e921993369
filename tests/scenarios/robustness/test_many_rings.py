"""Children ring in real time, at a rate of a hundred in each second."""

import asyncio

import pytest

from app.clock import SystemClock
from app.demo.stage import Stage, stage_on
from app.practice.legs import Leg
from tests.support.profile import WHOLE

RINGS, WITHIN = (300, 3.0) if WHOLE else (10, 0.1)


@pytest.mark.timeout(300)
async def test_no_caller_hears_the_trouble_words_for_more_than_one_document(
    database: str, anyio_backend: str
) -> None:
    async with stage_on(database, clock=SystemClock(), twilio_timeout=5) as stage:
        await stage.add_line()
        await stage.add_counsellor("ana", state="break")
        legs = await _ring_all(stage)
        await asyncio.wait_for(_all_wait(stage), 200)
        for leg in legs:
            troubles = sum("Javljamo se za koji trenutak" in heard.text for heard in leg.heard)
            assert troubles <= 1, leg.story
            assert not leg.over
        assert stage.exchange.faults == []
        rows = await stage.rows("SELECT state, count(*) AS n FROM calls GROUP BY 1")
        assert {row["state"]: row["n"] for row in rows} == {"queued": RINGS}
        for leg in legs:
            await stage.exchange.hang_up(leg)


async def _ring_all(stage: Stage) -> list[Leg]:
    legs = []
    for n in range(RINGS):
        leg = stage.ring(f"+3816411{n:05d}")
        stage.exchange.spawn(_choose(stage, leg))
        legs.append(leg)
        await asyncio.sleep(WITHIN / RINGS)
    return legs


async def _choose(stage: Stage, leg: Leg) -> None:
    """Press 1 as soon as the menu is heard, and again if the words were those of trouble."""
    while leg.waits_in is None and not leg.has_heard("Tu smo za tebe") and not leg.over:
        if leg.has_heard("Zdravo"):
            stage.exchange.press(leg, "1")
        await asyncio.sleep(0.5)


async def _all_wait(stage: Stage) -> None:
    while len(await stage.rows("SELECT 1 FROM calls WHERE state = 'queued'")) < RINGS:
        await asyncio.sleep(0.5)
