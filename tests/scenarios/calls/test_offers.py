"""An offer is accepted once, and releases every counsellor who did not get the call."""

import asyncio
from typing import Any

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.practice.people import Phone
from app.routing import offers
from tests.support.profile import nightly
from tests.support.talks import talk, waiting, waits


@nightly
async def test_in_danger_it_rings_at_several_and_the_first_takes_it(stage: Stage) -> None:
    crew = [await stage.add_counsellor(name) for name in ("ana", "boris", "vera", "mila")]
    leg = await waits(stage, "9")
    ids = [(c, o["id"]) for c in crew if (o := await c.offer())]
    assert len(ids) == 3
    # A counsellor who is a moment too late is told so, and is not at fault.
    answers = await asyncio.gather(*(c.ask("POST", f"/offers/{offer}/accept") for c, offer in ids))
    assert sorted(a.status_code for a in answers) == [200, 409, 409]
    assert sum("OfferNoLongerOpen" in a.text for a in answers) == 2
    await stage.advance(4)
    presences = sorted([await c.presence() for c in crew])
    assert presences == ["available", "available", "available", "on_call"]
    assert (await stage.call_of(leg))["state"] == "connected"
    offers = await stage.rows("SELECT state FROM offers")
    assert sorted(o["state"] for o in offers) == ["connected", "withdrawn", "withdrawn"]
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


async def test_a_caller_who_hangs_up_while_the_offer_is_accepted_was_not_answered(
    stage: Stage,
) -> None:
    """The hang-up comes at the same instant as the acceptance, in either order."""
    ana = await stage.add_counsellor("ana")
    for first in ("hang_up", "accept"):
        leg = await waits(stage, from_=f"+38164111000{len(first)}")
        offer = await ana.offer()
        assert offer is not None
        accepting = ana.ask("POST", f"/offers/{offer['id']}/accept")
        leaving = stage.exchange.hang_up(leg)
        order = (leaving, accepting) if first == "hang_up" else (accepting, leaving)
        await asyncio.gather(*order)
        await stage.advance(32)
        call = await stage.call_of(leg)
        assert (call["state"], call["answered_at"]) == ("ended", None)
        assert await stage.rows("SELECT 1 FROM offers WHERE released_at IS NULL") == []
        assert await ana.presence() == "available"
    assert await broken_at_the_end(stage) == []


@nightly
async def test_the_others_ring_on_when_one_counsellor_hangs_up(stage: Stage) -> None:
    stage.exchange.phones |= {
        "+38164999001": Phone(picks_up=1, presses=None),
        "+38164999002": Phone(picks_up=8, press_after=1),
    }
    await stage.add_counsellor("quick", endpoint="+38164999001")
    await stage.add_counsellor("slow", endpoint="+38164999002")
    leg = await waits(stage, "9")
    quick = next(x for x in stage.exchange.legs.values() if x.to == "+38164999001")
    await stage.exchange.hang_up(quick)
    await stage.advance(14)
    assert (await stage.call_of(leg))["state"] == "connected", "the other rang on, and took it"


@nightly
async def test_the_oldest_caller_is_offered_when_a_counsellor_becomes_available(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana", state=None)
    boris = await stage.add_counsellor("boris")
    await talk(stage, boris, from_="+381641110000")
    old = await waits(stage, from_="+381641110001")
    new = await waits(stage, from_="+381641110002")
    await ana.be("available")
    assert (await stage.call_of(old))["state"] == "offered", "the oldest first, and at once"
    assert (await stage.call_of(new))["state"] == "queued"


async def test_a_break_that_meets_an_offer_is_kept(stage: Stage) -> None:
    """Matching commits an offer between the look and the lock of the counsellor's change."""
    ana = await stage.add_counsellor("ana")
    leg = await waiting(stage)

    async def nothing(*_: Any) -> None:
        return None

    real, offers.offer_in_hand = offers.offer_in_hand, nothing  # type: ignore[assignment]
    try:
        await ana.ask("PUT", "/me/presence", {"state": "break"})
    finally:
        offers.offer_in_hand = real
    await stage.advance(2)
    assert await ana.presence() == "break"
    assert (await stage.call_of(leg))["state"] == "queued"
