"""The partner on a platform without conferences."""

import pytest

from app.demo.stage import Stage
from app.practice.people import Phone
from tests.support.platforms import VERA, at_phone, reach, wait_in_queue
from tests.support.profile import by_day, nightly
from tests.support.talks import PARTNER, plan, waits

OTHER, BEEP = "+381112223355", "Posle zvučnog signala"


# By day the outcomes are tried in `tests/telephony/inbound/test_partner_flow.py`.
@nightly
async def test_of_two_callers_at_the_partner_each_has_the_right_outcome(stage: Stage) -> None:
    """One after the other in every gap: only who talked with the partner was transferred."""
    stage.exchange.phones[PARTNER] = Phone(picks_up=1)
    await plan(stage, partner_after=20, partner_number=PARTNER)
    await at_phone(stage, "vera", VERA, state="break")
    outcomes = set()
    for n, gap in enumerate((0.5, 1, 2, 3, 4, 5, 6)):
        first = await wait_in_queue(stage, f"+3816411100{n}2")
        await stage.advance(gap)
        second = await wait_in_queue(stage, f"+3816411100{n}3")
        await stage.until(lambda leg=first: leg.talks_with is not None, limit=90)
        await stage.advance(25)
        legs = [first, second]
        had = [bool(leg.bridges) for leg in legs]
        for one in legs:
            await stage.exchange.hang_up(one)
        await stage.advance(6)
        found = [(await stage.call_of(leg))["outcome"] for leg in legs]
        assert found == ["transferred_out" if one else "abandoned_in_queue" for one in had], gap
        outcomes |= set(found)
    assert outcomes == {"transferred_out", "abandoned_in_queue"}


@nightly
async def test_only_a_caller_who_talked_with_the_partner_was_transferred(stage: Stage) -> None:
    """The partner takes one, and lets another ring: only the first was transferred."""
    stage.exchange.phones[PARTNER] = partner = Phone(picks_up=6)
    await plan(stage, partner_after=20, partner_number=PARTNER)
    await at_phone(stage, "vera", VERA)
    other = await reach(stage, stage.ring("+381641110001"))
    first = await wait_in_queue(stage, "+381641110002")
    second = await wait_in_queue(stage, "+381641110003")
    await stage.until(lambda: partner.rung == 1, limit=90)
    partner.picks_up = None
    await stage.until(lambda: first.talks_with is not None, limit=30)
    assert partner.rung == 2
    await stage.advance(40)
    await stage.exchange.hang_up(first)
    await stage.advance(10)
    for one in (second, other):
        await stage.exchange.hang_up(one)
    await stage.advance(5)
    call = await stage.call_of(first)
    assert call["outcome"] == "transferred_out", call["outcome"]


@pytest.mark.parametrize("another", by_day([True, False]))
async def test_a_partner_who_is_taken_out_or_replaced_while_it_rings_is_rung_no_more(
    stage: Stage, another: bool
) -> None:
    """A person who answers there would have the caller at once: the ring is ended."""
    stage.exchange.phones[PARTNER] = Phone(picks_up=20)
    stage.exchange.phones[OTHER] = Phone(picks_up=2)
    await plan(stage, partner_number=PARTNER)
    leg = await waits(stage)
    rung = stage.exchange.phones[PARTNER]
    await stage.until(lambda: rung.rung == 1, limit=60)
    await plan(stage, partner_number=OTHER if another else "")
    await stage.until(lambda: leg.talks_with is not None or leg.has_heard(BEEP), limit=90)
    assert not leg.over
    (theirs,) = (one for one in stage.exchange.legs.values() if one.to == PARTNER)
    assert theirs.over
    assert theirs.bridges == []
    assert (leg.talks_with is not None) is another
    await stage.exchange.hang_up(leg)
    await stage.advance(6)
    outcome = "transferred_out" if another else "out_of_hours"
    assert (await stage.call_of(leg))["outcome"] == outcome
