"""The second phone of a counsellor, which rings if the browser does not answer.

It rings within the time of the same offer, so the call goes to a colleague only after it: when a
part of that time has passed without an answer, or at once when the browser cannot be a telephone
any more. The offer then stands at the phone (`Offer.second_at`), and the browser may still take
it: whichever is first has the talk, and the other is called off. For a colleague who is asked into
a talk, see `participants/participant_second_phone.py`.
"""

from datetime import timedelta
from uuid import UUID

from app.abilities import EndpointKind
from app.calls import record
from app.calls.log_kinds import AnyCause, CallLog, Cause
from app.calls.models import Call, Leg
from app.calls.states import CallState
from app.database.topics import Topic
from app.jobs.names import Task
from app.routing import offers
from app.routing import presence as presences
from app.routing.models import Offer, OfferState, PresenceState, TelephoneState
from app.routing.participants.participants import Participant
from app.routing.telephone_state import state_of
from app.staff import phone_proofs
from app.staff.models import Staff
from app.work import Work

# States in which the page cannot be a telephone.
GONE = frozenset((TelephoneState.OFF, TelephoneState.NO_MICROPHONE, TelephoneState.FAILED))
# A page that is loaded again is back within this time.
_COMES_BACK = timedelta(seconds=2)


def is_at_telephone(staff: Staff, rung: Offer | Participant) -> bool:
    """Return whether a counsellor takes this call at a phone, and not in a page."""
    return staff.endpoint_kind != EndpointKind.BROWSER or rung.second_at is not None


async def can_ring(work: Work, staff_id: UUID) -> bool:
    """Return whether the second phone of a counsellor can ring now: it may have been changed,
    and not proven, since they were rung."""
    staff = await work.session.get_one(Staff, staff_id)
    if staff.second_phone is None or not staff.active:
        return False
    return await phone_proofs.is_proven(work, staff)


async def ring(work: Work, call: Call, offer: Offer, cause: AnyCause) -> bool:
    """Ring the counsellor's second phone as well as the browser. Call and offer are locked.

    Return whether it rings now. It does not if there is none, or if it has rung already.
    """
    asked = offer.second_due_at is not None and offer.second_at is None
    waits = CallState(call.state) is CallState.OFFERED and offer.released_at is None
    if not asked or not waits or offer.state == OfferState.CONNECTED:
        return False
    if not await can_ring(work, offer.counsellor_id):
        return False
    offer.second_at = work.now
    if offer.state == OfferState.ACCEPTED:
        # They said yes in a browser that cannot carry the talk. The phone gets time to ring.
        rings = timedelta(seconds=work.settings.offer_seconds)
        offer.expires_at, offer.asked_at = work.now + rings, None
    offers.want_leg(work, offer, Task.RING_COUNSELLOR, second=True)
    await record.record(
        work, call, CallLog.TELEPHONE_RUNG_INSTEAD, offer_id=str(offer.id), cause=cause
    )
    presence = await presences.lock_presence(work, offer.counsellor_id)
    if presence.state in (PresenceState.OFFERED, PresenceState.ON_CALL):
        presence.cause = Cause.TELEPHONE_RINGS_INSTEAD.value
    own = offer.counsellor_id
    work.announce(Topic.OFFERS.of(own), Topic.PRESENCE, Topic.PRESENCE.of(own))
    return True


async def ring_if_due(work: Work, call: Call, offer: Offer) -> None:
    """Ring the phone when the browser has rung alone for long enough, or is gone."""
    if offer.state != OfferState.OPEN or offer.expires_at <= work.now:
        return
    alone = timedelta(seconds=work.settings.offer_seconds * offers.BROWSER_ALONE)
    presence = await presences.lock_presence(work, offer.counsellor_id)
    back = await state_of(work, presence) is TelephoneState.READY
    if back and offer.second_at is None and work.now < offer.opened_at + alone:
        # The page was only loaded again.
        offer.second_due_at = offer.opened_at + alone
        return
    await ring(work, call, offer, Cause.NOT_ANSWERED_IN_BROWSER)


async def page_gone(work: Work, call: Call, offer: Offer, state: TelephoneState) -> None:
    """Ring the phone early: the page in which a call rings cannot be a telephone any more. A
    page that is only closed gets a moment to be loaded again."""
    if offer.state != OfferState.OPEN or offer.second_due_at is None:
        return
    if state is TelephoneState.OFF:
        offer.second_due_at = min(offer.second_due_at, work.now + _COMES_BACK)
    else:
        await ring(work, call, offer, Cause.NOT_ANSWERED_IN_BROWSER)


async def taken(work: Work, offer: Offer) -> None:
    """Say in the presence that a call was taken at the phone."""
    if offer.second_at is not None and offer.released_at is None:
        presence = await presences.lock_presence(work, offer.counsellor_id)
        presence.cause = Cause.TAKEN_AT_TELEPHONE.value


async def leg_over(work: Work, call: Call, offer: Offer, leg: Leg, cause: AnyCause) -> bool:
    """Handle the end of a counsellor's leg for which there is another way.

    Return whether the offer goes on: a phone rings in place of a browser that was not reached,
    or the browser has the call, or may still take it.
    """
    if leg.end_wanted:
        return True
    if leg.second:
        return await browser_rings_on(work, offer)
    return offer.state == OfferState.ACCEPTED and await ring(work, call, offer, cause)


async def browser_rings_on(work: Work, offer: Offer) -> bool:
    """Return whether an offer that was not taken at the phone still rings in the browser."""
    if offer.second_at is None or offer.state != OfferState.OPEN:
        return False
    presence = await presences.lock_presence(work, offer.counsellor_id)
    return await state_of(work, presence) is TelephoneState.READY


async def is_called_off(work: Work, staff_id: UUID, rung: Offer | Participant) -> bool:
    """Return whether the phone need not ring any more: the call was taken in the browser."""
    staff = await work.session.get_one(Staff, staff_id)
    return not is_at_telephone(staff, rung)
