"""The partner of a line is taken out, refused or replaced exactly while a caller is on the way."""

from typing import Any
from uuid import UUID

import pytest

from app.calls.lines import finding_lines, lines
from app.demo.counsellor import Counsellor
from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.legs import Leg
from app.practice.people import Phone
from app.routing import partners
from app.staff.accounts import actor_of
from app.staff.models import Staff
from app.staff.roles import Role
from app.telephony.inbound import waiting
from app.work import PROGRAM
from tests.support.profile import by_day, nightly
from tests.support.talks import PARTNER, busy, plan, waits

OTHER = "+381112223355"
TO_PARTNER, BEEP = "drugom službom", "Posle zvučnog signala"


def _legs_to(stage: Stage, number: str) -> list[Leg]:
    return [one for one in stage.exchange.legs.values() if one.to == number]


async def _events(stage: Stage, leg: Leg) -> list[dict[str, Any]]:
    call = await stage.call_of(leg)
    return await stage.rows(
        "SELECT kind, detail FROM call_events WHERE call_id = %s ORDER BY id", call["id"]
    )


async def _asked_to_confirm(stage: Stage, mila: Counsellor) -> UUID:
    """The number of the partner is in doubt, and an administrator asks a second person about it."""
    async with transaction(stage.ground, PROGRAM) as work:
        work.actor = actor_of(await work.session.get_one(Staff, mila.id))
        found = await finding_lines.any_line(work)
        assert found is not None
        row, line = await finding_lines.read_line(work, found.id)
        await lines.lock_line(work, row.id)
        assert await partners.hold_back(work, line, PARTNER, PARTNER, again=True)
        (one,) = await partners.waiting(work, None)
        return one.row.id


async def _rings_in_the_night(stage: Stage, picks_up: float | None = 12) -> Leg:
    """The partner's phone rings for a child while no counsellor is there."""
    stage.exchange.phones[PARTNER] = Phone(picks_up=picks_up)
    await plan(stage, partner_number=PARTNER)
    leg = await waits(stage)
    await stage.until(lambda: leg.has_heard(TO_PARTNER), limit=60)
    await stage.until(lambda: bool(_legs_to(stage, PARTNER)), limit=30)
    assert stage.exchange.phones[PARTNER].heard == []
    return leg


async def _could_decide(stage: Stage, vera: Counsellor) -> None:
    """A supervisor has an account that can be a second person's."""
    await stage.change_rows("UPDATE staff SET password_hash = 'x', could_approve = true")
    await vera.sign_in()


@nightly
async def test_a_partner_who_is_refused_while_it_rings_gets_no_child_who_leaves_a_message(
    stage: Stage,
) -> None:
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    vera = await stage.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await _could_decide(stage, vera)
    leg = await _rings_in_the_night(stage)
    asked = await _asked_to_confirm(stage, mila)
    refused = await vera.ask("POST", f"/partner-requests/{asked}", {"approve": False})
    assert refused.status_code == 204, refused.text
    (theirs,) = _legs_to(stage, PARTNER)
    assert not theirs.over, "it still rings"
    await stage.until(lambda: leg.has_heard(BEEP), limit=90)
    assert theirs.over
    assert [one.text for one in theirs.heard] == []
    assert not leg.over
    told = {one["kind"]: one["detail"] for one in await _events(stage, leg)}
    assert told["partner_asked"]["taken"] is False
    assert {"partner_rung", "unstaffed"} <= told.keys()
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert (await stage.call_of(leg))["outcome"] == "out_of_hours"
    assert await broken_at_the_end(stage) == []


async def test_a_partner_who_is_replaced_while_it_rings_gives_way_to_the_new_one(
    stage: Stage,
) -> None:
    stage.exchange.phones[OTHER] = Phone(picks_up=2)
    leg = await _rings_in_the_night(stage)
    await plan(stage, partner_number=OTHER)
    await stage.until(lambda: leg.talks_with is not None, limit=90)
    (theirs,), (new,) = _legs_to(stage, PARTNER), _legs_to(stage, OTHER)
    assert theirs.over
    assert theirs.heard == []
    assert not new.over
    dialled = await stage.rows("SELECT FROM dials WHERE purpose = 'partner'")
    assert len(dialled) == 2, "each of the numbers counts"
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert (await stage.call_of(leg))["outcome"] == "transferred_out"
    assert await broken_at_the_end(stage) == []


@nightly
@pytest.mark.parametrize("answers", by_day([None, 2]))
async def test_a_new_partner_is_rung_at_once_when_the_one_before_never_picks_up(
    stage: Stage, answers: float | None
) -> None:
    """The one before rings for half a minute, as always; the child is asked for no message first.

    If the new one does not pick up either, each was rung once.
    """
    stage.exchange.phones[OTHER] = Phone(picks_up=answers)
    leg = await _rings_in_the_night(stage, picks_up=None)
    (theirs,) = _legs_to(stage, PARTNER)
    await plan(stage, partner_number=OTHER)
    await stage.until(lambda: theirs.over, limit=40)
    assert theirs.heard == []
    await stage.until(lambda: bool(_legs_to(stage, OTHER)), limit=10)
    assert not leg.has_heard(BEEP)
    if answers is None:
        await stage.until(lambda: leg.has_heard(BEEP), limit=90)
    else:
        await stage.until(lambda: leg.talks_with is not None, limit=20)
    assert [len(_legs_to(stage, one)) for one in (PARTNER, OTHER)] == [1, 1]
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    outcome = "out_of_hours" if answers is None else "transferred_out"
    assert (await stage.call_of(leg))["outcome"] == outcome
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_partner_who_comes_while_a_child_waits_is_rung_without_the_rest_of_the_former(
    stage: Stage,
) -> None:
    """The one before did not answer, and is not rung again for ten minutes; the new one is."""
    stage.exchange.phones[PARTNER] = Phone(picks_up=None)
    stage.exchange.phones[OTHER] = Phone(picks_up=2)
    await plan(stage, partner_after=20, partner_number=PARTNER)
    ana = await stage.add_counsellor("ana")
    other = await busy(stage, ana, "+381641110001")
    leg = await waits(stage)
    place = (await stage.call_of(leg))["queued_at"]
    await stage.advance(120)
    assert len(_legs_to(stage, PARTNER)) == 1
    call = await stage.call_of(leg)
    assert (call["state"], call["queued_at"]) == ("queued", place)
    await plan(stage, partner_number=OTHER)
    await stage.until(lambda: leg.talks_with is not None, limit=60)
    assert [len(_legs_to(stage, one)) for one in (PARTNER, OTHER)] == [1, 1]
    for one in (leg, other):
        await stage.exchange.hang_up(one)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_partner_who_is_confirmed_while_it_rings_takes_the_child(stage: Stage) -> None:
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    vera = await stage.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await _could_decide(stage, vera)
    leg = await _rings_in_the_night(stage)
    asked = await _asked_to_confirm(stage, mila)
    approved = await vera.ask("POST", f"/partner-requests/{asked}", {"approve": True})
    assert approved.status_code == 204, approved.text
    await stage.until(lambda: leg.talks_with is not None, limit=60)
    assert len(_legs_to(stage, PARTNER)) == 1
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert (await stage.call_of(leg))["outcome"] == "transferred_out"


# By day one is replaced while it rings, above.
@nightly
async def test_a_partner_who_is_taken_out_before_it_rings_leaves_the_child_its_place(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two requests with which a child goes from the waiting room to the partner."""
    stage.exchange.phones[PARTNER] = Phone(picks_up=1)
    await plan(stage, partner_after=20, partner_number=PARTNER)
    await stage.add_counsellor("ana", state="break")
    leg = await waits(stage)
    place = (await stage.call_of(leg))["queued_at"]
    was_sent = waiting.left_for_partner
    gone: list[bool] = []

    async def taken_out(*given: Any) -> bool:
        if not gone:
            gone.append(True)
            await plan(stage, partner_number="")
        return await was_sent(*given)

    monkeypatch.setattr(waiting, "left_for_partner", taken_out)
    await stage.advance(60)
    assert gone
    assert not leg.over
    assert not leg.has_heard(TO_PARTNER)
    assert _legs_to(stage, PARTNER) == _legs_to(stage, "") == []
    call = await stage.call_of(leg)
    assert (call["state"], call["queued_at"]) == ("queued", place)
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []
