"""Situations that a reader of the code foresaw, each kept as a story."""

import asyncio
from typing import Any

import pytest

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.routing import offers
from app.telephony import webhooks
from tests.scenarios.test_main_job import talk
from tests.scenarios.test_matrix import waiting


async def test_a_talk_whose_joins_were_lost_is_not_cut_off(stage: Stage) -> None:
    """The counsellor's join is never told, nor the caller's: the provider is asked."""
    stage.exchange.knobs.turn("lose", "participant-join", times=2)
    ana = await stage.add_counsellor("ana")
    leg = await waiting(stage)
    await ana.accept()
    await stage.advance(45)
    assert (await stage.call_of(leg))["state"] == "connected"
    assert await ana.presence() == "on_call"
    assert stage.exchange.conferences.of_leg(leg) is not None
    await stage.exchange.hang_up(leg)
    await stage.advance(3)
    assert (await stage.call_of(leg))["outcome"] == "answered"
    assert await broken_at_the_end(stage) == []


async def test_a_counsellor_who_dies_before_we_hear_of_the_join(stage: Stage) -> None:
    """The caller was moved to a conference in which nobody is any more: fetched at once."""
    ana = await stage.add_counsellor("ana")
    leg = await waiting(stage)
    # The caller's join is held up: the second one that is told.
    stage.exchange.knobs.turn("delay", "participant-join", times=1, seconds=0.01)
    stage.exchange.knobs.turn("delay", "participant-join", times=1, seconds=8)
    await ana.ask("POST", f"/offers/{(await ana.offer() or {})['id']}/accept")
    await stage.until(lambda: stage.exchange.conferences.of_leg(leg) is not None, limit=20)
    counsellor = next(x for x in stage.exchange.legs.values() if x.direction != "inbound")
    await stage.exchange.end_leg(counsellor, "completed", "party")
    await stage.advance(4)
    assert (await stage.call_of(leg))["state"] == "queued"
    assert stage.exchange.conferences.of_leg(leg) is None
    # Heard of late, and kept: for a moment they were together.
    await stage.advance(6)
    assert (await stage.call_of(leg))["answered_at"] is not None
    await stage.exchange.hang_up(leg)
    await stage.advance(3)
    assert (await stage.call_of(leg))["outcome"] == "answered"
    assert await broken_at_the_end(stage) == []


async def test_a_database_that_hangs_does_not_outlast_the_providers_patience(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_PATIENCE", 0.3)
    # Somebody holds the table: every statement waits, as on a stopped server.
    await stage._watch.execute("BEGIN")
    await stage._watch.execute("LOCK TABLE calls IN ACCESS EXCLUSIVE MODE")
    leg = stage.ring()
    for _ in range(60):
        if leg.heard:
            break
        await asyncio.sleep(0.05)
    assert leg.has_heard("Please stay on the line")
    await stage._watch.execute("ROLLBACK")
    await stage.advance(15)
    assert leg.has_heard("ovde Plavi telefon")
    assert not leg.over


async def test_an_end_that_the_provider_does_not_take_for_long_is_tried_until_it_does(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    stage.exchange.knobs.turn("refuse", "Calls", times=25)
    await ana.do("hang-up")
    await stage.advance(5)
    assert leg.over


async def test_a_choice_that_meets_an_offer_is_kept(stage: Stage) -> None:
    """Matching commits an offer between the look and the lock of the counsellor's change."""
    ana = await stage.add_counsellor("ana")
    leg = await waiting(stage)

    async def nothing(*_: Any) -> None:
        return None

    real, offers.held_offer = offers.held_offer, nothing  # type: ignore[assignment]
    try:
        await ana.ask("PUT", "/me/presence", {"state": "break"})
    finally:
        offers.held_offer = real
    await stage.advance(2)
    assert await ana.presence() == "break"
    assert (await stage.call_of(leg))["state"] == "queued"


async def test_a_hold_whose_answer_did_not_come_is_settled_by_asking(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    stage.exchange.knobs.turn("accept_and_time_out", "POST", seconds=1.2)
    await ana.do("hold")
    await stage.advance(3)
    conference = next(iter(stage.exchange.conferences.all.values()))
    assert conference.participants[leg.sid].held
    holds = [path for method, path, form, *_ in stage.exchange.asked if "Hold" in form]
    assert len(holds) == 1
