"""A talk goes on to another: a colleague, a number outside, or the front of the queue."""

from typing import Any
from uuid import uuid4

from sqlalchemy import or_, select, update

from app.abilities import Ability
from app.calls import platform, record
from app.calls.log_kinds import AnyCause, CallLog, Cause
from app.calls.models import Call, Leg
from app.calls.sentences import Sentence
from app.calls.states import CallEvent, Direction
from app.database.topics import Topic
from app.jobs.names import Task
from app.routing import offers_held
from app.routing import presence as presences
from app.routing.models import Offer, OfferState, PresenceState
from app.routing.participants import participants
from app.routing.participants.participants import (
    Mode,
    Participant,
    ParticipantPurpose,
    ParticipantState,
)
from app.routing.plan import RETURNED_PRIORITY
from app.routing.releasing import end_if_kept
from app.routing.sound import set_hold
from app.staff.models import Staff
from app.work import Work

# A supervisor takes over however many conversations they have.
_ANY_NUMBER = 1000


async def hand_over(
    work: Work, call: Call, offer: Offer, participant: Participant, *, inherited: bool = False
) -> Offer:
    """Give the talk and its record to a colleague who is in the conference.

    `inherited`: the counsellor's line was lost, so the hand-over was not intended. The old
    counsellor is released in the same transaction in which the colleague gets the call.
    """
    assert participant.staff_id is not None
    await _leave_talk(work, offer, Cause.HANDED_OVER)
    new = Offer(
        id=uuid4(),
        call_id=call.id,
        counsellor_id=participant.staff_id,
        state=OfferState.CONNECTED.value,
        opened_at=work.now,
        expires_at=work.now,
        accepted_at=work.now,
        connected_at=work.now,
        room_id=offer.room,
        conference_sid=offer.conference_sid,
        second_at=participant.second_at,
    )
    await work.session.flush()
    work.session.add(new)
    await work.session.flush()
    participant.owner_offer_id = new.id
    participant.mode = Mode.TALK.value
    await work.session.execute(
        update(Leg)
        .where(Leg.call_id == call.id, Leg.participant_id.is_not(None), Leg.ended_at.is_(None))
        .values(offer_id=new.id)
        .execution_options(synchronize_session="fetch")
    )
    presence = await presences.lock_presence(work, participant.staff_id)
    await presences.set_presence(work, presence, PresenceState.ON_CALL, Cause.TOOK_OVER)
    await record.record(
        work,
        call,
        CallLog.HANDED_OVER,
        offer_id=str(new.id),
        counsellor_id=str(new.counsellor_id),
        participant_id=str(participant.id),
        before=str(offer.id),
        inherited=inherited or None,
    )
    await _only(work, call, participant)
    work.defer(Task.FOLLOW_CALL, call_id=str(call.id))
    work.announce(
        Topic.OFFERS.of(new.counsellor_id), Topic.PRESENCE.of(new.counsellor_id), Topic.TALKS
    )
    if call.held_at is not None:
        await set_hold(work, call, False)
    return new


async def take_written(work: Work, call: Call, offer: Offer, staff: Staff) -> Offer:
    """Give a written conversation to a supervisor who takes it over, whatever they have besides."""
    await _leave_talk(work, offer, Cause.HANDED_OVER)
    await work.session.flush()
    presence = await presences.lock_presence(work, staff.id)
    new = Offer(
        id=uuid4(),
        call_id=call.id,
        counsellor_id=staff.id,
        slot=await offers_held.free_slot(work, staff.id, _ANY_NUMBER),
        state=OfferState.CONNECTED.value,
        opened_at=work.now,
        expires_at=work.now,
        accepted_at=work.now,
        connected_at=work.now,
    )
    work.session.add(new)
    await work.session.flush()
    if presence.state not in offers_held.BUSY:
        if presence.state in (PresenceState.OFF_DUTY, PresenceState.AWAY, PresenceState.BREAK):
            presence.after_call = PresenceState(presence.state).value
        if presence.after_call == PresenceState.AWAY:
            presence.after_call = PresenceState.OFF_DUTY.value
        await presences.set_presence(work, presence, PresenceState.WRITING, Cause.TOOK_OVER)
    await record.record(
        work,
        call,
        CallLog.HANDED_OVER,
        offer_id=str(new.id),
        counsellor_id=str(staff.id),
        before=str(offer.id),
    )
    work.defer(
        Task.FOLLOW_CONVERSATION,
        call_id=str(call.id),
        sentence=Sentence.COUNSELLOR_HERE,
        key=str(new.id),
    )
    work.announce(Topic.OFFERS.of(staff.id), Topic.PRESENCE.of(staff.id), Topic.TALKS)
    return new


async def hand_outside(work: Work, call: Call, offer: Offer, participant: Participant) -> None:
    """Hand the caller to a participant outside; if they leave, the caller comes back to us."""
    if call.held_at is not None:
        await set_hold(work, call, False)
    await _leave_talk(work, offer, Cause.HANDED_OUTSIDE)
    call.handed_to = participant.id
    await _only(work, call, participant)
    await record.record(
        work,
        call,
        CallLog.HANDED_OUTSIDE,
        participant_id=str(participant.id),
        role=participant.role,
        before=str(offer.id),
    )
    work.announce(Topic.TALKS)


async def _only(work: Work, call: Call, taken: Participant) -> None:
    """Stop ringing others who were asked to take the talk. A supervisor who whispers now whispers
    to the new counsellor."""
    for other in await participants.live_participants(work, call.id):
        asked = other.purpose in (ParticipantPurpose.TRANSFER, ParticipantPurpose.CONSULT)
        if other.id != taken.id and asked and other.state == ParticipantState.RINGING:
            await participants.end_participant(work, call, other, Cause.TAKEN_BY_ANOTHER)
        elif other.id == taken.id or other.mode != Mode.TALK:
            work.defer(Task.SET_PARTICIPANT_MODE, participant_id=str(other.id))


async def _leave_talk(work: Work, offer: Offer, cause: AnyCause) -> None:
    """Take a counsellor out of a talk that goes on without them."""
    offer.released_at = work.now
    own = select(Participant.id).where(Participant.owner_offer_id == offer.id)
    legs = await work.session.scalars(
        select(Leg).where(
            Leg.offer_id == offer.id,
            Leg.ended_at.is_(None),
            or_(Leg.participant_id.is_(None), Leg.participant_id.in_(own)),
        )
    )
    for leg in legs.all():
        leg.end_wanted = True
        work.defer(Task.END_LEG, leg_id=str(leg.id))
    mine = await work.session.scalar(
        select(Participant).where(Participant.owner_offer_id == offer.id)
    )
    if mine is not None:
        mine.state, mine.left_at = ParticipantState.LEFT.value, work.now
    presence = await presences.lock_presence(work, offer.counsellor_id)
    if presence.state in (PresenceState.ON_CALL, PresenceState.WRITING):
        await offers_held.settle(work, presence, cause, talked=True)
    work.announce(Topic.OFFERS.of(offer.counsellor_id), Topic.CALLS, Topic.CALLS.of(offer.call_id))


async def send_back(work: Work, call: Call, offer: Offer, cause: AnyCause) -> None:
    """Send the caller to the front of the queue; the caller hears that the call goes on."""
    if call.direction == Direction.OUTBOUND:
        # If the counsellor's leg has dialled the caller, both end together.
        platform.need(work, Ability.RING_CALLBACK)
    await _leave_talk(work, offer, cause)
    await participants.send_away(work, call, cause)
    await _to_the_front(work, call, cause, offer_id=str(offer.id), transferred=True)


async def come_back(work: Work, call: Call, cause: AnyCause) -> None:
    """Put the caller at the front of the queue when the participant outside has left."""
    await participants.send_away(work, call, cause)
    await _to_the_front(work, call, cause)


async def _to_the_front(work: Work, call: Call, cause: AnyCause, **detail: Any) -> None:
    call.entries += 1
    call.held_at = call.handed_to = None
    call.on_hold = False
    call.priority = max(call.priority, RETURNED_PRIORITY)
    await record.move(work, call, CallEvent.COUNSELLOR_LOST, cause=cause, **detail)
    if call.is_written:
        work.defer(
            Task.FOLLOW_CONVERSATION,
            call_id=str(call.id),
            sentence=Sentence.HANDED_OVER,
            key=str(call.entries),
        )
    else:
        work.defer(Task.RETURN_CALLER, call_id=str(call.id), entry=call.entries)
    if call.danger:
        # A child in danger is waiting again.
        work.defer(Task.WATCH_DANGER, call_id=str(call.id))
    await end_if_kept(work, call)
