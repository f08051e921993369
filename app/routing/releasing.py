"""The end of a call: what it held is released in the same transaction.

Locks are taken in one order everywhere: call, offer, presence.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import BindParameter, Uuid, bindparam, or_, select, text

from app.calls import platform, record
from app.calls.log_kinds import AnyCause, Cause
from app.calls.models import Call, Leg
from app.calls.record import WebhookDelivery
from app.calls.states import CallState, EndedBy
from app.database.topics import Topic
from app.jobs.names import Task
from app.routing import offers_held
from app.routing import presence as presences
from app.routing.models import Offer, OfferState
from app.routing.participants import participants
from app.routing.participants.participants import Participant
from app.work import Work

# If the provider has not said within this time that both are in the conference, ask it.
_TOLD_WITHIN = timedelta(seconds=5)


async def end_if_kept(work: Work, call: Call) -> None:
    """End a practice call that its trainee does not have: it rings no other counsellor."""
    if call.rings_only_id is not None and CallState(call.state) is CallState.QUEUED:
        await end_call(work, call, ended_by=EndedBy.PROGRAM)
        if not call.is_written:
            work.defer(Task.END_CALLER, call_id=str(call.id))


_OFFER_ID: BindParameter[UUID] = bindparam("offer_id", type_=Uuid())
# Built once: every offer that ends asks for its legs.
_LEGS = select(Leg).where(
    Leg.offer_id == _OFFER_ID,
    Leg.ended_at.is_(None),
    or_(
        Leg.participant_id.is_(None),
        Leg.participant_id.in_(
            select(Participant.id).where(Participant.owner_offer_id == _OFFER_ID)
        ),
    ),
)


async def end_legs(work: Work, offer_id: UUID) -> None:
    """Ask for the end of every live leg of the counsellor, and of no other."""
    for leg in await work.session.scalars(_LEGS, {"offer_id": offer_id}):
        leg.end_wanted = True
        work.defer(Task.END_LEG, leg_id=str(leg.id))


_HELD = (
    select(Offer)
    .where(Offer.call_id == bindparam("call_id", type_=Uuid()), Offer.released_at.is_(None))
    .order_by(Offer.counsellor_id)
)


async def end_call(
    work: Work,
    call: Call,
    *,
    ended_by: EndedBy,
    at: datetime | None = None,
    delivery: WebhookDelivery | None = None,
    answer: record.Answer | None = None,
    lost: bool = False,
) -> None:
    """End a call and release everything that it held, in the same transaction."""
    connected = CallState(call.state) is CallState.CONNECTED
    if connected or call.handed_to is not None or call.kept_room_id is not None:
        await participants.send_away(work, call, Cause.CALL_ENDED)
        call.handed_to = call.kept_room_id = None
    if call.callback_id is not None and CallState(call.state) is not CallState.ENDED:
        work.defer(Task.CALLBACK_OVER, call_id=str(call.id))
    if call.rings_only_id is not None and CallState(call.state) is not CallState.ENDED:
        work.defer(Task.PRACTICE_ENDED, call_id=str(call.id))
    first = CallState(call.state) is not CallState.ENDED
    # Only a call that is offered or connected holds anything.
    holds = CallState(call.state) in (CallState.OFFERED, CallState.CONNECTED)
    await record.end_call(
        work, call, ended_by=ended_by, at=at, delivery=delivery, answer=answer, lost=lost
    )
    asks = platform.shows_talks(work) and not call.is_written
    # A caller who was fetched for a talk and then released has entered the waiting room again.
    if first and call.answered_at is None and asks and call.entries > 1:
        await _settle_released(work, call)
    if not holds:
        return
    held = await work.session.scalars(_HELD, {"call_id": call.id})
    for offer in held.all():
        if offer.state == OfferState.ACCEPTED and asks:
            # Perhaps they talked, and only the provider's report was lost.
            work.defer(Task.SETTLE_TALK, delay=_TOLD_WITHIN, offer_id=str(offer.id))
        talked = offer.state == OfferState.CONNECTED
        offer.kept_on_desk = (
            call.is_written
            and talked
            and (ended_by is not EndedBy.COUNSELLOR or await _holds_unseen(work, call))
        )
        await let_go(work, offer)


# By row: the area of written conversations is above this one.
_UNSEEN = text(
    "SELECT true FROM chat_messages WHERE call_id = :call_id AND author = 'child'"
    " AND seen_at IS NULL AND text_sealed IS NOT NULL LIMIT 1"
)


async def _holds_unseen(work: Work, call: Call) -> bool:
    """Return whether the child wrote what its counsellor did not see before they ended it."""
    return await work.session.scalar(_UNSEEN, {"call_id": call.id}) is not None


async def _settle_released(work: Work, call: Call) -> None:
    """Ask later whether the caller talked with a counsellor who accepted and was released.

    The end of the counsellor's leg may be told before the caller's, and nothing of the talk.
    """
    released = await work.session.scalars(
        select(Offer.id).where(
            Offer.call_id == call.id,
            Offer.accepted_at.is_not(None),
            Offer.connected_at.is_(None),
            Offer.released_at.is_not(None),
        )
    )
    for offer_id in released:
        work.defer(Task.SETTLE_TALK, delay=_TOLD_WITHIN, offer_id=str(offer_id))


async def let_go(work: Work, offer: Offer, cause: AnyCause = Cause.CALLER_GONE) -> None:
    talked = offer.state == OfferState.CONNECTED
    if not talked:
        offer.state = OfferState.WITHDRAWN.value
    offer.released_at = work.now
    await end_legs(work, offer.id)
    presence = await presences.lock_presence(work, offer.counsellor_id)
    why = Cause.CALL_ENDED if talked else cause
    await offers_held.settle(work, presence, why, talked=talked, rested=not talked)
    work.announce(Topic.OFFERS.of(offer.counsellor_id))


async def hang_up(work: Work, call: Call) -> None:
    """End a talk for a counsellor: close the record now, tell the provider after the commit."""
    if CallState(call.state) is CallState.ENDED:
        return
    await end_call(work, call, ended_by=EndedBy.COUNSELLOR)
    if not call.is_written:
        work.defer(Task.END_CALLER, call_id=str(call.id))
