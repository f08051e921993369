"""A colleague who is asked into a talk is rung in the browser, and then at their second telephone
as well: one of the two is in, and the other does not ring on."""

from typing import Any

import pytest

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.practice.legs import Leg
from app.practice.people import Phone
from tests.support.calls.second_telephones import PHONE, has_a_telephone, is_proven
from tests.support.profile import WHOLE, nightly
from tests.support.talks import a_talk, act, client, done, inside, room

CHILD = "+381641234567"


async def asked_in(
    stage: Stage, browser: Phone, phone: Phone, *, proven: bool = True, warm: bool = True
) -> tuple[Leg, Any, Counsellor, Counsellor, str]:
    """Ana talks with a child and asks Boris in."""
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    await has_a_telephone(stage, boris, phone, proven=proven)
    stage.exchange.phones[client(boris)] = browser
    asked = await act(ana, call, "transfer", {"counsellor_id": str(boris.id), "warm": warm})
    return leg, call, ana, boris, str(asked["participant_id"])


def ringing(stage: Stage, to: str) -> list[str]:
    return [leg.status for leg in stage.exchange.legs.values() if leg.to == to and not leg.over]


# By day the telephone of the one who takes a call does (`tests/scenarios/calls`).
@nightly
async def test_the_telephone_takes_what_the_browser_does_not_answer(stage: Stage) -> None:
    phone = Phone(picks_up=3)
    leg, call, ana, boris, asked = await asked_in(stage, Phone(picks_up=None), phone)
    await stage.advance(8)
    assert (phone.rung, len(ringing(stage, client(boris)))) == (0, 1), "the browser rings alone"
    await stage.advance(14)
    assert inside(stage) == {CHILD, client(ana), PHONE}
    assert not ringing(stage, client(boris)), "the browser does not ring on"
    assert await boris.presence() == "break"
    await act(ana, call, f"participants/{asked}/complete", status=204)
    await stage.advance(20)
    assert inside(stage) == {CHILD, PHONE}
    assert (await ana.presence(), await boris.presence()) == ("wrap_up", "on_call")
    offer = (await stage.rows("SELECT * FROM offers WHERE released_at IS NULL"))[0]
    assert offer["second_at"] is not None, "the talk is at his telephone, and not in a page"
    # The end of the telephone's leg ends the talk, as at any telephone.
    mine = next(p.leg for p in room(stage).participants.values() if p.leg.to == PHONE)
    await stage.exchange.hang_up(mine)
    await stage.advance(6)
    row = await done(stage, leg)
    assert (row["outcome"], row["ended_by"]) == ("answered", "counsellor")
    assert phone.rung == 1


@nightly
async def test_a_late_answer_in_the_browser_calls_the_telephone_off(stage: Stage) -> None:
    phone = Phone(picks_up=None)
    leg, call, ana, boris, asked = await asked_in(stage, Phone(picks_up=20), phone)
    await stage.advance(16)
    assert ringing(stage, PHONE) == ["ringing"]
    await stage.advance(8)
    assert inside(stage) == {CHILD, client(ana), client(boris)}
    assert not ringing(stage, PHONE)
    await act(ana, call, f"participants/{asked}/complete", status=204)
    await stage.advance(3)
    assert inside(stage) == {CHILD, client(boris)}
    assert (await done(stage, leg))["outcome"] == "answered"


@nightly
@pytest.mark.parametrize("answered", [15.0, 16.0, 17.0, 18.0] if WHOLE else [17.0])
async def test_a_key_at_the_telephone_and_a_click_at_once_are_one_colleague(
    stage: Stage, answered: float
) -> None:
    # Rung at 12 s and lifted at 15, the telephone hears its question when the browser answers.
    leg, _, ana, boris, _ = await asked_in(stage, Phone(picks_up=answered), Phone(picks_up=3))
    await stage.advance(30)
    assert inside(stage) - {CHILD, client(ana)} in ({client(boris)}, {PHONE})
    up = [one for to in (PHONE, client(boris)) for one in ringing(stage, to)]
    assert up == ["in-progress"]
    (row,) = await stage.rows("SELECT state FROM participants")
    assert (row["state"], await boris.presence()) == ("in", "break")
    assert (await done(stage, leg))["outcome"] == "answered"


@nightly
async def test_a_browser_that_is_not_reached_leads_to_the_telephone_at_once(stage: Stage) -> None:
    leg, _, _, boris, _ = await asked_in(
        stage, Phone(unreachable=True), Phone(picks_up=2), warm=False
    )
    await stage.advance(8)
    assert inside(stage) == {CHILD, PHONE}, "a cold transfer is complete"
    assert await boris.presence() == "on_call"
    assert (await done(stage, leg))["outcome"] == "answered"


@nightly
async def test_not_proven_declined_in_vain_and_at_a_machine_nothing_changes(stage: Stage) -> None:
    """Asked in again and again, until he answers in the browser."""
    phone = Phone(picks_up=2)
    leg, call, ana, boris, _ = await asked_in(stage, Phone(picks_up=None), phone, proven=False)

    async def again(browser: Phone, telephone: Phone) -> None:
        stage.exchange.phones |= {client(boris): browser, PHONE: telephone}
        await act(ana, call, "transfer", {"counsellor_id": str(boris.id)})

    async def alone(rung: int) -> None:
        """The caller is not left on hold, and both are what they were."""
        assert (stage.exchange.phones[PHONE].rung, ringing(stage, PHONE)) == (rung, [])
        assert not room(stage).participants[leg.sid].held
        assert (await ana.presence(), await boris.presence()) == ("on_call", "available")

    assert room(stage).participants[leg.sid].held
    await stage.advance(36)
    await alone(rung=0)
    await is_proven(stage, boris)
    # A counsellor who declines in the browser is not rung at the telephone.
    await again(Phone(busy=True), Phone(picks_up=2))
    await stage.advance(8)
    await alone(rung=0)
    await again(Phone(picks_up=None), Phone(picks_up=None))
    await stage.advance(40)
    await alone(rung=1)
    await again(Phone(picks_up=28), Phone(picks_up=1, presses=None, machine=True))
    await stage.advance(34)
    assert inside(stage) == {CHILD, client(ana), client(boris)}, "the browser still rang"
    assert (await done(stage, leg))["outcome"] == "answered"
