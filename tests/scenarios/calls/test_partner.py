"""A partner helpline takes callers when no counsellor is free."""

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.practice.legs import Leg
from app.practice.people import Phone
from app.telephony.platforms.choose import platform_of
from tests.support.talks import PARTNER, plan, rings_at, waits


async def test_a_partner_takes_the_caller_or_does_not_press_1_and_the_place_is_kept(
    stage: Stage,
) -> None:
    stage.exchange.phones[PARTNER] = Phone(picks_up=1, presses=None)
    await plan(stage, partner_after=20, partner_number=PARTNER)
    ana = await stage.add_counsellor("ana", state="break")
    back = await waits(stage, from_="+381641110003")
    place = (await stage.call_of(back))["queued_at"]
    await stage.advance(75)
    call = await stage.call_of(back)
    assert (call["state"], call["queued_at"]) == ("queued", place)
    (in_vain,) = (x for x in stage.exchange.legs.values() if x.to == PARTNER)
    stage.exchange.phones[PARTNER] = Phone(picks_up=3)
    await _takes(stage, in_vain)
    # The one who was given back is the first, and is offered.
    await ana.be("available")
    assert await rings_at(stage, ana) == ["ana"]
    await stage.exchange.hang_up(back)
    await stage.advance(40)
    assert (await stage.call_of(back))["outcome"] == "abandoned_in_queue"
    assert await broken_at_the_end(stage) == []


async def _takes(stage: Stage, in_vain: Leg) -> None:
    """A partner takes a caller. `in_vain`: the leg at which they were rung before."""
    leg = await waits(stage, from_="+381641110002")
    await stage.advance(60)
    assert leg.has_heard("drugom službom")
    theirs = next(x for x in stage.exchange.legs.values() if x.to == PARTNER and x is not in_vain)
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
    # No row of ours has the leg of the partner: an erasure finds it by that of the caller.
    found = await platform_of(stage.settings).find_copies([], [leg.sid])
    assert [(one.sid, one.of_call) for one in found] == [(theirs.sid, leg.sid)]


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
