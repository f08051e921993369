"""What happens to a talk when the counsellor's leg leaves before the talk was ended.

The first rule that applies: a colleague who takes part in the talk takes it over; if a participant
from outside is in it, they stay with the child until the next counsellor joins; if the counsellor
hung up, the talk is over; if their line broke, they are rung again for a short while before the
child goes back to the queue.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from app.calls import labels, platform, record
from app.calls.log_kinds import AnyCause, CallLog, Cause
from app.calls.models import Call, Leg, RecordedEvent
from app.calls.sentences import Sentence
from app.calls.states import CallEvent, CallState, Direction
from app.database.topics import Topic
from app.jobs.names import Task
from app.routing import handing_over, offers, offers_held, releasing, second_phone
from app.routing import presence as presences
from app.routing.models import Offer, OfferState, PresenceState, TelephoneState
from app.routing.participants import participants
from app.routing.participants.participants import (
    Mode,
    Participant,
    ParticipantPurpose,
    ParticipantState,
)
from app.routing.plan import RETURNED_PRIORITY
from app.routing.telephone_state import state_of
from app.settings import Settings
from app.staff.models import Staff
from app.work import Work

# After this time a counsellor has heard who answered a call-back.
_KNOWN = timedelta(seconds=15)


async def counsellor_left(
    work: Work, call: Call, offer: Offer, cause: AnyCause, *, died: bool
) -> None:
    """Handle the end of a counsellor's leg. `died`: the provider says that the line broke."""
    if offer.released_at is not None or CallState(call.state) is CallState.ENDED:
        return
    if offer.state != OfferState.CONNECTED:
        await offers.miss_offer(work, call, offer, cause)
        return
    if await _goes_on_without(work, call, offer, cause):
        return
    if not died:
        await record.record(
            work, call, CallLog.COUNSELLOR_HUNG_UP, offer_id=str(offer.id), cause=cause
        )
        await releasing.hang_up(work, call)
    elif (
        call.direction == Direction.OUTBOUND
        and work.now - (offer.connected_at or work.now) < _KNOWN
    ):
        # The household that has just answered must not hear the helpline's announcements.
        await record.record(work, call, CallLog.COUNSELLOR_LOST_AT_ONCE, offer_id=str(offer.id))
        await releasing.hang_up(work, call)
    elif offer.lost_at is None:
        await _ring_again(work, call, offer, cause)


async def lose_counsellor(
    work: Work, call: Call, offer: Offer, cause: AnyCause, *, fetch_caller: bool = True
) -> None:
    """Put the caller at the front of the queue when the counsellor's leg is gone for good.

    The caller keeps the place of their first arrival and goes before all others. `fetch_caller` is
    False when the caller's leg is already asking for its next instructions.
    """
    if offer.released_at is not None or CallState(call.state) is CallState.ENDED:
        return
    if offer.state != OfferState.CONNECTED:
        await offers.miss_offer(work, call, offer, cause, fetch_caller=fetch_caller)
        return
    if call.is_written:
        await _release(work, call, offer, cause)
        if call.rings_only_id is not None:
            # A scripted child writes with no other counsellor.
            await releasing.end_if_kept(work, call)
            return
        work.defer(
            Task.FOLLOW_CONVERSATION,
            call_id=str(call.id),
            sentence=Sentence.COUNSELLOR_LOST,
            key=str(offer.id),
        )
        return
    if fetch_caller and await _goes_on_without(work, call, offer, cause):
        return
    await participants.send_away(work, call, cause)
    await _release(work, call, offer, cause)
    if fetch_caller:
        work.defer(Task.RETURN_CALLER, call_id=str(call.id), entry=call.entries)


async def give_back_conversations(work: Work, counsellor_id: UUID, cause: AnyCause) -> None:
    """Return the children who write with a counsellor to the queue, with their first place, and
    withdraw what is offered. The counsellor goes off duty."""
    # All calls are locked before the presence, as everywhere.
    found = [
        await offers.lock_offer(work, offer_id)
        for offer_id in await offers_held.conversations(work, counsellor_id)
    ]
    for call, offer in found:
        await give_back(work, call, offer, cause, PresenceState.OFF_DUTY)


async def give_back(
    work: Work, call: Call, offer: Offer, cause: AnyCause, then: PresenceState
) -> None:
    """Return one child who writes with a counsellor to the queue; see above. `then` is the
    counsellor's state if they hold nothing more."""
    if offer.released_at is not None:
        return
    if offer.state == OfferState.OPEN:
        await offers.miss_offer(work, call, offer, cause, our_fault=True)
    else:
        await lose_counsellor(work, call, offer, cause)
    presence = await presences.lock_presence(work, offer.counsellor_id)
    if presence.state not in offers_held.BUSY:
        presence.after_call = None
        await presences.set_presence(work, presence, then, cause)


async def _goes_on_without(work: Work, call: Call, offer: Offer, cause: AnyCause) -> bool:
    """Keep the talk alive if a colleague takes over or others stay; return whether it goes on."""
    heir = await _heir(work, call)
    if heir is not None:
        await record.record(
            work, call, CallLog.COUNSELLOR_DROPPED_OUT, offer_id=str(offer.id), cause=cause
        )
        await handing_over.hand_over(work, call, offer, heir, inherited=True)
        return True
    if not await others_inside(work, call, offer.room):
        return False
    # The others stay in the conference, and the next counsellor joins it.
    call.kept_room_id = offer.room
    await _release(work, call, offer, cause)
    work.defer(Task.END_HOLD, call_id=str(call.id))
    return True


async def _release(work: Work, call: Call, offer: Offer, cause: AnyCause) -> None:
    offer.released_at, offer.lost_at = work.now, None
    await releasing.end_legs(work, offer.id)
    call.returned += 1
    call.entries += 1
    call.held_at, call.on_hold = None, False
    call.priority = max(call.priority, RETURNED_PRIORITY)
    await record.move(work, call, CallEvent.COUNSELLOR_LOST, offer_id=str(offer.id), cause=cause)
    presence = await presences.lock_presence(work, offer.counsellor_id)
    if presence.state in (PresenceState.ON_CALL, PresenceState.WRITING):
        await offers_held.settle(work, presence, Cause.CONNECTION_LOST, talked=True)
    if call.danger:
        # A child in danger is waiting again.
        work.defer(Task.WATCH_DANGER, call_id=str(call.id))
    work.announce(Topic.OFFERS.of(offer.counsellor_id))


async def _heir(work: Work, call: Call) -> Participant | None:
    """Return a colleague who takes part and can take over; never one who only listens."""
    found: Participant | None = await work.session.scalar(
        select(Participant)
        .where(
            Participant.call_id == call.id,
            Participant.state == ParticipantState.IN,
            Participant.staff_id.is_not(None),
            Participant.owner_offer_id.is_(None),
            Participant.mode == Mode.TALK,
            Participant.staff_id.not_in(
                select(Offer.counsellor_id).where(Offer.released_at.is_(None))
            ),
        )
        .order_by(Participant.joined_at)
        .limit(1)
    )
    return found


async def others_inside(work: Work, call: Call, room_id: UUID) -> bool:
    """Return whether a participant from outside is in: police, an interpreter, a duty phone."""
    outside = await work.session.scalar(
        select(Participant.id)
        .where(
            Participant.call_id == call.id,
            Participant.state == ParticipantState.IN,
            Participant.staff_id.is_(None),
            Participant.purpose.in_((ParticipantPurpose.THIRD_PARTY, ParticipantPurpose.CONSULT)),
        )
        .limit(1)
    )
    if outside is not None:
        return True
    duty_phones = await participants.inside_by_events(
        work,
        call.id,
        RecordedEvent.detail["offer_id"].astext == str(room_id),
        RecordedEvent.detail["participant"].astext.startswith(labels.DUTY),
    )
    return bool(duty_phones)


async def leave_empty_room(work: Work, call: Call) -> None:
    """Requeue the child if the last participant has left and no counsellor is on the way."""
    if call.kept_room_id is None or CallState(call.state) is CallState.ENDED:
        return
    if await others_inside(work, call, call.kept_room_id):
        return
    offer = await offers.live_offer_of_call(work, call.id)
    if offer is not None and offer.state != OfferState.OPEN:
        return
    await participants.send_away(work, call, Cause.OTHERS_LEFT)
    if offer is not None:
        offer.room_id = None
    call.kept_room_id = None
    call.entries += 1
    await record.record(work, call, CallLog.ROOM_LEFT)
    work.defer(Task.RETURN_CALLER, call_id=str(call.id), entry=call.entries)


# -- a broken line ---------------------------------------------------------------------------


async def _ring_again(work: Work, call: Call, offer: Offer, cause: AnyCause) -> None:
    """Ring the counsellor whose line broke. The child hears a message and soft sound meanwhile."""
    offer.lost_at = work.now
    await releasing.end_legs(work, offer.id)
    await record.record(
        work, call, CallLog.COUNSELLOR_RUNG_AGAIN, offer_id=str(offer.id), cause=cause
    )
    # A participant who took the talk over comes back as its counsellor.
    participant = await work.session.scalar(
        select(Participant).where(Participant.owner_offer_id == offer.id)
    )
    if participant is not None:
        participant.state, participant.left_at, participant.owner_offer_id = (
            ParticipantState.LEFT.value,
            work.now,
            None,
        )
    staff = await work.session.get(Staff, offer.counsellor_id)
    assert staff is not None
    presence = await presences.lock_presence(work, staff.id)
    if offer.second_at is not None:
        offers.want_leg(work, offer, Task.RING_COUNSELLOR, second=True)
    elif platform.rings_first(work, staff.endpoint_kind):
        offers.want_leg(work, offer, Task.RING_COUNSELLOR)
    elif await state_of(work, presence) is TelephoneState.READY:
        offers.want_leg(work, offer, Task.JOIN_COUNSELLOR)
    # Otherwise the page is being loaded again; see `ring_page_again`.
    work.defer(Task.HOLD_FOR_COUNSELLOR, offer_id=str(offer.id))
    work.announce(Topic.OFFERS.of(offer.counsellor_id), Topic.CALLS, Topic.CALLS.of(call.id))


async def ring_page_again(work: Work, offer: Offer) -> None:
    """Bring a counsellor back into the talk whose page has its telephone ready again."""
    if offer.lost_at is None or offer.released_at is not None:
        return
    rung = select(Leg.id).where(
        Leg.offer_id == offer.id, Leg.participant_id.is_(None), Leg.created_at >= offer.lost_at
    )
    if await work.session.scalar(rung.limit(1)) is None:
        offers.want_leg(work, offer, Task.JOIN_COUNSELLOR)


def grace_of(settings: Settings, staff: Staff, offer: Offer) -> timedelta:
    """Return how long a caller is kept for a counsellor whose line was lost."""
    outside = second_phone.is_at_telephone(staff, offer)
    return timedelta(seconds=settings.grace_seconds if outside else settings.page_grace_seconds)


async def counsellor_is_back(work: Work, call: Call, offer: Offer) -> None:
    """Record that a counsellor whose line broke is in the conference again."""
    if offer.lost_at is None:
        return
    offer.lost_at = None
    await record.record(work, call, CallLog.COUNSELLOR_BACK, offer_id=str(offer.id))
    work.defer(Task.HOLD_FOR_COUNSELLOR, offer_id=str(offer.id))
    work.announce(Topic.OFFERS.of(offer.counsellor_id), Topic.CALLS, Topic.CALLS.of(call.id))


async def give_up_waiting(work: Work, call: Call, offer: Offer) -> None:
    """Return the caller to the queue if the counsellor did not come back in time."""
    staff = await work.session.get(Staff, offer.counsellor_id)
    assert staff is not None
    grace = grace_of(work.settings, staff, offer)
    if offer.lost_at is not None and work.now - offer.lost_at >= grace:
        await lose_counsellor(work, call, offer, Cause.LINE_LOST)
