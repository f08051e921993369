"""A counsellor's second telephone rings if the browser does not answer, and whichever is first has
the call."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from app.calls.log_kinds import Cause
from app.calls.models import Call, Leg
from app.calls.states import CallState, LegStatus
from app.errors import Conflict
from app.people import second_phone as phone_of_account
from app.routing import offers, second_phone, telephones
from app.routing.models import Offer, OfferState, PresenceState, TelephoneState
from app.staff import phone_proofs
from app.staff.models import PhoneProof, Staff
from app.telephony.answers import HangUp, JoinCounsellor, Taken
from app.telephony.counsellor import counsellor_flow
from app.work import Work
from tests.support.verbs import (
    a_counsellor,
    a_waiting_call,
    a_webhook,
    logged,
    offered,
    presence_of,
)

pytestmark = pytest.mark.whole

PHONE, PAGE = "+381641111111", "stage:1"


async def a_ring(work: Work, *, proven: bool = True) -> tuple[Staff, Call, Offer]:
    """Let a call ring in the browser of a counsellor who has a second telephone."""
    call = await a_waiting_call(work)
    ana = await a_counsellor(work, "ana")
    await a_counsellor(work, "boris")
    await phone_of_account.choose(work, ana, PHONE)
    if proven:
        await phone_proofs.pair(work, ana)
    (offer,) = await offered(work, call, ana)
    return ana, call, offer


async def unanswered(work: Work) -> tuple[Staff, Call, Offer, Leg]:
    """Let the browser ring in vain for its time: the telephone rings."""
    ana, call, offer = await a_ring(work)
    work.now += timedelta(seconds=8)
    await second_phone.ring_if_due(work, call, offer)
    await work.session.flush()
    leg = await leg_of(work, offer)
    leg.provider_sid, leg.status = "CA9", LegStatus.RINGING
    return ana, call, offer, leg


async def leg_of(work: Work, offer: Offer) -> Leg:
    (leg,) = await work.session.scalars(select(Leg).where(Leg.offer_id == offer.id, Leg.second))
    return leg


def wanted(work: Work, task: str) -> int:
    return sum(job.task == f"telephony:{task}" for job in work.jobs)


async def press(work: Work, offer: Offer, digits: str, attempt: int = 1) -> object:
    signed = a_webhook("CA9", Digits=digits)
    return (await counsellor_flow.take(work, offer.id, signed, attempt))[0]


async def test_only_a_proven_second_telephone_rings(work: Work) -> None:
    _, call, offer = await a_ring(work, proven=False)
    assert offer.second_due_at is None
    work.now += timedelta(seconds=8)
    await second_phone.ring_if_due(work, call, offer)
    assert wanted(work, "ring_counsellor") == 0


async def test_a_telephone_that_was_changed_after_the_offer_was_opened_does_not_ring(
    work: Work,
) -> None:
    ana, call, offer = await a_ring(work)
    await work.session.execute(delete(PhoneProof).where(PhoneProof.staff_id == ana.id))
    work.now += timedelta(seconds=8)
    await second_phone.ring_if_due(work, call, offer)
    assert wanted(work, "ring_counsellor") == 0
    # Changed while it rings: key 1 is not enough there.
    offer.second_at = work.now
    assert not isinstance(await press(work, offer, "1"), JoinCounsellor)


async def test_the_telephone_rings_within_the_time_of_the_same_offer(work: Work) -> None:
    ana, call, offer = await a_ring(work)
    ends = offer.expires_at
    work.now += timedelta(seconds=7)
    await second_phone.ring_if_due(work, call, offer)
    assert (offer.second_at, wanted(work, "ring_counsellor")) == (None, 0)
    work.now += timedelta(seconds=1)
    for _ in range(2):
        await second_phone.ring_if_due(work, call, offer)
    assert wanted(work, "ring_counsellor") == 1, "it rings once"
    assert (offer.state, offer.expires_at, call.state) == (
        OfferState.OPEN,
        ends,
        CallState.OFFERED,
    )
    presence = await presence_of(work, ana)
    assert (presence.state, presence.cause) == (
        PresenceState.OFFERED,
        Cause.TELEPHONE_RINGS_INSTEAD,
    )


async def test_a_late_answer_in_the_browser_calls_the_telephone_off(work: Work) -> None:
    _, call, offer, leg = await unanswered(work)
    await offers.accept_offer(work, call, offer)
    await work.session.flush()
    assert leg.end_wanted
    assert (wanted(work, "end_leg"), wanted(work, "join_counsellor")) == (1, 1)
    assert isinstance(await press(work, offer, "1"), Taken), "never two legs in one talk"
    await counsellor_flow.apply_leg_status(work, call, offer, leg, LegStatus.COMPLETED, "CA9")
    assert (offer.state, offer.released_at) == (OfferState.ACCEPTED, None)


async def test_a_key_at_the_telephone_is_first_and_the_browser_changes_nothing(
    work: Work,
) -> None:
    ana, call, offer, _ = await unanswered(work)
    assert isinstance(await press(work, offer, "1"), JoinCounsellor)
    await offers.accept_offer(work, call, offer)
    assert (offer.state, wanted(work, "join_counsellor")) == (OfferState.ACCEPTED, 0)
    presence = await presence_of(work, ana)
    assert (presence.state, presence.cause) == (PresenceState.ON_CALL, Cause.TAKEN_AT_TELEPHONE)
    # A page that is loaded again does not break a talk at the telephone.
    await offers.connect_offer(work, call, offer, at=work.now)
    await telephones.claim(work, ana, "stage:2")
    assert (offer.lost_at, offer.released_at) == (None, None)


async def test_in_vain_at_the_telephone_the_browser_rings_on(work: Work) -> None:
    ana, call, offer, leg = await unanswered(work)
    assert isinstance(await press(work, offer, "", attempt=2), HangUp)
    await counsellor_flow.apply_leg_status(work, call, offer, leg, LegStatus.NO_ANSWER, "CA9")
    assert (offer.state, call.state) == (OfferState.OPEN, CallState.OFFERED)
    await offers.miss_offer(work, call, offer, Cause.NOT_TAKEN_IN_TIME)
    presence = await presence_of(work, ana)
    assert (presence.state, presence.cause, call.state) == (
        PresenceState.AWAY,
        Cause.MISSED_IN_BROWSER_AND_AT_TELEPHONE,
        CallState.QUEUED,
    )


async def test_in_vain_everywhere_the_call_goes_to_a_colleague_at_once(work: Work) -> None:
    ana, call, offer, leg = await unanswered(work)
    await telephones.report(work, ana, PAGE, TelephoneState.FAILED)
    await counsellor_flow.apply_leg_status(work, call, offer, leg, LegStatus.BUSY, "CA9")
    assert (offer.state, call.state) == (OfferState.MISSED, CallState.QUEUED)


async def test_a_browser_that_cannot_ring_any_more_is_not_waited_for(work: Work) -> None:
    ana, _, offer = await a_ring(work)
    await telephones.report(work, ana, PAGE, TelephoneState.NO_MICROPHONE)
    assert (offer.second_at, wanted(work, "ring_counsellor")) == (work.now, 1)


async def test_a_page_that_is_loaded_again_gets_a_moment(work: Work) -> None:
    ana, call, offer = await a_ring(work)
    alone = offer.second_due_at
    await telephones.report(work, ana, PAGE, TelephoneState.OFF)
    assert offer.second_due_at == work.now + timedelta(seconds=2)
    await telephones.report(work, ana, PAGE, TelephoneState.READY)
    work.now += timedelta(seconds=2)
    await second_phone.ring_if_due(work, call, offer)
    assert (offer.second_at, offer.second_due_at) == (None, alone)
    await telephones.report(work, ana, PAGE, TelephoneState.OFF)
    work.now += timedelta(seconds=2)
    await second_phone.ring_if_due(work, call, offer)
    assert offer.second_at == work.now


async def test_accepted_in_a_browser_that_is_not_reached_the_telephone_rings(work: Work) -> None:
    ana, call, offer = await a_ring(work)
    await offers.accept_offer(work, call, offer)
    await work.session.flush()
    (leg,) = await work.session.scalars(select(Leg).where(Leg.offer_id == offer.id))
    await counsellor_flow.apply_leg_status(work, call, offer, leg, LegStatus.FAILED, "CA8")
    await work.session.flush()
    assert (offer.state, wanted(work, "ring_counsellor")) == (OfferState.ACCEPTED, 1)
    assert isinstance(await press(work, offer, "1"), JoinCounsellor)
    assert (await presence_of(work, ana)).cause == Cause.TAKEN_AT_TELEPHONE
    second = await leg_of(work, offer)
    await counsellor_flow.apply_leg_status(work, call, offer, second, LegStatus.COMPLETED, "CA9")
    assert (offer.state, call.state) == (OfferState.MISSED, CallState.QUEUED)


async def test_the_second_telephone_is_chosen_and_given_up_and_both_are_logged(work: Work) -> None:
    call = await a_waiting_call(work)
    ana = await a_counsellor(work, "ana")
    vera = await a_counsellor(work, "vera", "+381649990001")
    code = await phone_of_account.choose(work, ana, "064 111 1111")
    assert (ana.second_phone, len(code), wanted(work, "ring_test_phone")) == (PHONE, 6, 1)
    assert await phone_proofs.prove_phone(work, ana, code)
    await phone_of_account.choose(work, ana, PHONE)
    assert await phone_proofs.is_proven(work, ana), "the same number stays proven"
    with pytest.raises(Conflict, match="on your phone already"):
        await phone_of_account.choose(work, vera, PHONE)
    (offer,) = await offered(work, call, ana)
    with pytest.raises(phone_of_account.InACallNow):
        await phone_of_account.give_up(work, ana)
    await offers.decline_offer(work, call, offer)
    await phone_of_account.give_up(work, ana)
    assert not await phone_proofs.is_proven(work, ana)
    changes = [detail for act, detail in logged(work) if act == "second_phone_set"]
    assert changes == [
        {"before": None, "after": "+381…11"},
        {"before": "+381…11", "after": None},
    ]
