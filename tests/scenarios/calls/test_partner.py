"""A partner helpline takes callers when no counsellor is free."""

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.practice.people import Phone
from tests.support.talks import PARTNER, busy, plan, rings_at, waits


async def test_a_partner_takes_the_caller_when_no_counsellor_is_free(stage: Stage) -> None:
    stage.exchange.phones[PARTNER] = Phone(picks_up=3)
    await plan(stage, partner_after=30, partner_number=PARTNER)
    ana = await stage.add_counsellor("ana")
    other = await busy(stage, ana, "+381641110001")
    leg = await waits(stage, from_="+381641110002")
    await stage.advance(60)
    assert leg.has_heard("drugom službom")
    theirs = next(x for x in stage.exchange.legs.values() if x.to == PARTNER)
    assert not theirs.over
    assert "38164111" not in "".join(h.text for h in theirs.heard)
    assert theirs.from_ == "+38111116111", "the partner sees our number, not the child's"
    await stage.advance(90)
    assert not theirs.over, "the talk with the partner goes on"
    await stage.exchange.hang_up(theirs)
    await stage.advance(8)
    # A good-bye or a broken line? It cannot be known, so the caller is not hung up on.
    assert not leg.over
    assert (await stage.call_of(leg))["state"] == "queued"
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    call = await stage.call_of(leg)
    assert (call["state"], call["outcome"]) == ("ended", "transferred_out")
    await stage.exchange.hang_up(other)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


async def test_a_partner_who_does_not_press_1_gives_the_caller_back_in_their_place(
    stage: Stage,
) -> None:
    stage.exchange.phones[PARTNER] = Phone(picks_up=1, presses=None)
    await plan(stage, partner_after=20, partner_number=PARTNER)
    ana = await stage.add_counsellor("ana")
    other = await busy(stage, ana, "+381641110001")
    leg = await waits(stage, from_="+381641110002")
    place = (await stage.call_of(leg))["queued_at"]
    await stage.advance(75)
    call = await stage.call_of(leg)
    assert (call["state"], call["queued_at"]) == ("queued", place)
    assert sum(x.to == PARTNER for x in stage.exchange.legs.values()) == 1
    await stage.exchange.hang_up(other)
    await stage.advance(2)
    await ana.be("available")
    assert await rings_at(stage, ana) == ["ana"]
    await stage.exchange.hang_up(leg)
    await stage.advance(40)
    assert (await stage.call_of(leg))["outcome"] == "abandoned_in_queue"
    assert await broken_at_the_end(stage) == []


async def test_in_the_night_the_partner_is_rung_before_the_tone(stage: Stage) -> None:
    stage.exchange.phones[PARTNER] = Phone(picks_up=None)
    await plan(stage, partner_number=PARTNER)
    leg = await waits(stage)
    await stage.advance(50)
    assert leg.has_heard("drugom službom")
    assert leg.has_heard("Posle zvučnog signala"), "and if they do not answer, a message"
    await stage.exchange.hang_up(leg)
    await stage.advance(3)
    assert (await stage.call_of(leg))["outcome"] == "out_of_hours"
    assert all(x.over for x in stage.exchange.legs.values())
