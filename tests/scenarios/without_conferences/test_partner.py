"""The partner on a platform without conferences."""

import pytest

from app.demo.stage import Stage
from app.practice.people import Phone
from tests.support.platforms import VERA, at_phone, reach, wait_in_queue
from tests.support.talks import PARTNER, plan


async def test_a_caller_whom_the_partner_did_not_take_was_not_transferred(stage: Stage) -> None:
    stage.exchange.phones[PARTNER] = Phone(picks_up=1)
    await plan(stage, partner_after=20, partner_number=PARTNER)
    await at_phone(stage, "vera", VERA)
    other = await reach(stage, stage.ring("+381641110001"))
    first = await wait_in_queue(stage, "+381641110002")
    await stage.advance(1)
    second = await wait_in_queue(stage, "+381641110003")
    await stage.until(lambda: first.talks_with is not None, limit=90)
    await stage.advance(25)
    assert second.talks_with is None
    assert not second.bridges
    await stage.exchange.hang_up(second)
    await stage.advance(5)
    call = await stage.call_of(second)
    assert call["outcome"] == "abandoned_in_queue", f"{call['outcome']} {call['transferred_at']}"
    for one in (first, other):
        await stage.exchange.hang_up(one)


@pytest.mark.parametrize("gap", [0.5, 1, 2, 3, 4, 5, 6])
async def test_of_two_callers_at_the_partner_each_has_the_right_outcome(
    stage: Stage, gap: float
) -> None:
    stage.exchange.phones[PARTNER] = Phone(picks_up=1)
    await plan(stage, partner_after=20, partner_number=PARTNER)
    await at_phone(stage, "vera", VERA)
    other = await reach(stage, stage.ring("+381641110001"))
    first = await wait_in_queue(stage, "+381641110002")
    await stage.advance(gap)
    second = await wait_in_queue(stage, "+381641110003")
    await stage.advance(60)
    legs = [first, second]
    had = [bool(leg.bridges) for leg in legs]
    for one in legs:
        await stage.exchange.hang_up(one)
    await stage.advance(8)
    await stage.exchange.hang_up(other)
    found = [(await stage.call_of(leg))["outcome"] for leg in legs]
    wanted = ["transferred_out" if one else "abandoned_in_queue" for one in had]
    assert found == wanted


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
    await stage.advance(90)
    await stage.exchange.hang_up(first)
    await stage.advance(10)
    for one in (second, other):
        await stage.exchange.hang_up(one)
    await stage.advance(5)
    call = await stage.call_of(first)
    assert call["outcome"] == "transferred_out", call["outcome"]
