"""Rings that come and go while we are away are records, too: found at the provider afterwards."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.demo.stage import LINE, Stage
from app.jobs.transaction import transaction
from app.practice.legs import Leg
from app.staff.roles import Role
from app.telephony.inbound import endings
from app.telephony.platforms import conference
from app.work import PROGRAM
from tests.support.calls.callers import talks_unheard
from tests.support.contacts import page_of
from tests.support.profile import WHOLE, nightly
from tests.support.program.quiet import QuietStage
from tests.support.talks import leg_of
from tests.support.verbs import a_webhook

pytestmark = pytest.mark.usefixtures("each_minute")


def came_and_went(stage: Stage, seconds_ago: float, **values: object) -> Leg:
    """Make a ring that was never reported to us and is over by now."""
    at = stage.clock.now() - timedelta(seconds=seconds_ago)
    known: dict[str, object] = {
        "created_at": at,
        "answered_at": at,
        "ended_at": at + timedelta(seconds=4),
        "status": "completed",
        "ending": "error",
    }
    return leg_of(stage, **{**known, **values})


@nightly
async def test_every_ring_before_and_in_two_outages_is_a_record(stage: Stage) -> None:
    stage.expects_faults = True  # type: ignore[attr-defined]
    await stage.add_counsellor("ana")
    await stage.advance(1)
    rung: list[Leg] = []
    for outage in range(2):
        for _ in range(9):
            rung.append(stage.ring(f"+3816411{len(rung):05d}"))
            await stage.advance(1)
        for leg in rung:
            await stage.exchange.hang_up(leg)
        await stage.settle()
        await stage.stop_server()
        for _ in range(4 if outage else 3):
            leg = stage.ring(f"+3816411{len(rung):05d}")
            rung.append(leg)
            for _ in range(200):
                if leg.over:
                    break
                stage.stepped.move_to(stage.clock.now() + timedelta(seconds=0.5))
                await asyncio.sleep(0.01)
            await stage.exchange.hang_up(leg)
        await stage.start_server()
        await stage.advance(130)
    rows = await stage.rows("SELECT provider_sid, outcome, opened_at, ended_at FROM calls")
    assert {row["provider_sid"] for row in rows} == {leg.sid for leg in rung}
    assert len(rung) == 25
    missed = [row for row in rows if row["outcome"] == "unreachable"]
    assert len(missed) == 7
    for row in missed:
        _says_when(row, stage.exchange.legs[row["provider_sid"]])


def _says_when(row: dict[str, Any], leg: Leg) -> None:
    """Check that a record of a missed ring has the instants that the provider has."""
    assert row["opened_at"] == leg.created_at.replace(microsecond=0)
    assert leg.ended_at is not None
    assert row["ended_at"].replace(microsecond=0) == leg.ended_at.replace(microsecond=0)


def _no_rings(stage: Stage) -> None:
    """What the account lists besides: a ring of another number, and a leg of ours."""
    came_and_went(stage, 60, to="+38111999999")
    came_and_went(stage, 60, direction="outbound-api", from_=LINE, to="+381641110000")


async def test_a_long_outage_is_made_up_for_page_by_page(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three days, more calls than the provider lists on a page, and an interruption.

    What is of other numbers, and what we rang ourselves, is no ring of a child.
    """
    await stage.advance(1)
    await stage.rows(
        "UPDATE reconciled SET until_at = %s RETURNING 1", stage.clock.now() - timedelta(days=3)
    )
    monkeypatch.setattr(conference, "PAGE", 5 if WHOLE else 3)
    # Several of them within an hour, and then one from time to time.
    rung = [came_and_went(stage, 100 + 200 * n) for n in range(12 if WHOLE else 5)]
    rung += [came_and_went(stage, 3700 * n) for n in range(2, 62, 1 if WHOLE else 25)]
    _no_rings(stage)
    began = len(stage.exchange.asked)
    stage.exchange.knobs.turn("fail", "GET /2010-04-01/Accounts", times=1)
    await stage.advance(130)
    rows = await stage.rows("SELECT provider_sid, outcome, opened_at, ended_at FROM calls")
    assert sorted(row["provider_sid"] for row in rows) == sorted(leg.sid for leg in rung)
    assert {row["outcome"] for row in rows} == {"unreachable"}
    for row in rows:
        _says_when(row, stage.exchange.legs[row["provider_sid"]])
    asked = [one for one in stage.exchange.asked[began:] if one[0] == "GET"]
    assert len(asked) < 100
    # What was compared is not read again.
    began = len(stage.exchange.asked)
    await stage.advance(60)
    assert len(stage.exchange.asked) - began < 6


async def test_unreachable_rings_count_in_the_summary_and_on_the_supervisors_page(
    quiet: QuietStage,
) -> None:
    chief = await quiet.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    await talks_unheard(quiet, await quiet.add_counsellor("ana"), over=True)
    for sid in ("CA11", "CA12"):
        async with transaction(quiet.ground, PROGRAM) as work:
            await endings.number_status(work, a_webhook(sid, CallStatus="no-answer"))
    today = quiet.clock.now().date()
    query = f"from={today}&to={today + timedelta(days=1)}"
    answer = await chief.ask("GET", f"/statistics/summary?{query}")
    assert answer.status_code == 200, answer.text
    assert sum(row["unreachable"] or 0 for row in answer.json()["rows"][-1:]) == 2
    board = await page_of(quiet, chief, "/supervisor")
    assert "2 rings of the last 24 hours could not be answered" in board
