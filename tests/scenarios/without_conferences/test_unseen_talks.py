"""Talks whose beginning no list of the platform showed in time."""

from typing import Any

import pytest

from app.calls.delivery_keys import DeliveryKey
from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.telephony.inbound import deciding
from tests.support.platforms import (
    MIRA,
    VERA,
    at_phone,
    list_is_silent,
    others,
    said,
    talks,
    unseen,
    wait_in_queue,
)
from tests.support.profile import nightly


async def test_a_long_talk_whose_beginning_was_not_seen_is_offered_to_no_one_else(
    stage: Stage,
) -> None:
    _vera, _phone = await at_phone(stage, "vera", VERA)
    mira, _ = await at_phone(stage, "mira", MIRA, state="off_duty")
    leg = await wait_in_queue(stage)
    theirs = await unseen(stage, leg)
    await mira.be("available")
    await stage.advance(60)
    assert leg.talks_with is theirs
    offers = await stage.rows("SELECT counsellor_id, state FROM offers")
    assert len(offers) == 1, f"a child who talks is held out to others: {offers}"
    stage.exchange.legs[theirs.sid] = theirs
    await stage.exchange.hang_up(leg)
    await stage.advance(8)
    assert (await stage.call_of(leg))["outcome"] == "answered"


# By day `tests/telephony/platforms/test_dial_bridge.py` derives a talk from its end.
@nightly
async def test_a_talk_is_not_forgotten_when_the_database_fails_at_its_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The action of the dial comes while the database is away for a second; it is asked again."""
    _vera, _ = await at_phone(stage, "vera", VERA)
    leg = await wait_in_queue(stage)
    theirs = await unseen(stage, leg)
    await stage.advance(8)
    stage.exchange.legs[theirs.sid] = theirs
    failed: list[int] = []
    decide = deciding.decide

    async def first_fails(
        work: Any, call_id: Any, signed: Any, key: DeliveryKey, decision: Any
    ) -> Any:
        if key.startswith("dialled:") and not failed:
            failed.append(1)
            raise OSError("the database is away")
        return await decide(work, call_id, signed, key, decision)

    monkeypatch.setattr(deciding, "decide", first_fails)
    await stage.exchange.hang_up(theirs)
    await stage.advance(20)
    assert failed
    await stage.exchange.hang_up(leg)
    await stage.advance(8)
    call = await stage.call_of(leg)
    assert call["outcome"] == "answered", call["outcome"]


@nightly
async def test_a_talk_that_the_list_shows_late_is_not_cut_off(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await at_phone(stage, "vera", VERA)
    leg = await wait_in_queue(stage)
    await stage.until(lambda: said(stage, "accepted"), limit=20)
    list_is_silent(stage, monkeypatch, 45)
    await stage.until(lambda: talks(stage, leg), limit=30)
    theirs = leg.talks_with
    await stage.advance(60)
    assert leg.talks_with is theirs, "we have cut the child off in the middle of the talk"


@nightly
async def test_a_talk_whose_beginning_was_not_seen_is_in_the_record_when_it_is_over(
    somleng: Stage,
) -> None:
    stage = somleng
    vera, _ = await at_phone(stage, "vera", VERA)
    leg = stage.ring()
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.until(lambda: said(stage, "accepted"), limit=20)
    while leg.talks_with is None:
        # No list of the platform shows the leg that the caller's leg dials.
        for one in others(stage, "outbound-dial"):
            del stage.exchange.legs[one.sid]
        await stage.advance(0.1)
    began, theirs = stage.clock.now(), leg.talks_with
    await stage.advance(10)
    assert await said(stage, "accepted"), "no report says that they talk"
    stage.exchange.legs[theirs.sid] = theirs
    await stage.exchange.hang_up(theirs)
    await stage.advance(4)
    call = await stage.call_of(leg)
    assert call["answered_at"] is not None
    assert abs((call["answered_at"] - began).total_seconds()) <= 2
    assert await vera.presence() == "wrap_up"
    await stage.exchange.hang_up(leg)
    await stage.advance(10)
    assert (await stage.call_of(leg))["outcome"] == "answered"
    assert await broken_at_the_end(stage) == []
