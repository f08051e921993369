"""What becomes of participants in a talk: they join, take it over, leave, or are dropped.

The calling function has locked the call; the rows are committed before the provider is told. No
failure here leaves the caller alone: a caller who was on hold for a colleague who cannot be reached
is resumed.
"""

from uuid import UUID

from sqlalchemy import select

from app.calls import record
from app.calls.log_kinds import AnyCause, CallLog, Cause
from app.calls.models import Call
from app.calls.states import CallState
from app.database.topics import Topic
from app.errors import Conflict, NotAllowed, NotFound
from app.jobs.names import Task
from app.routing import handing_over, lost_counsellor, offers, offers_held, sound
from app.routing.participants import calls_for_help, inviting, participants
from app.routing.participants.participants import (
    LIVE,
    Participant,
    ParticipantPurpose,
    ParticipantState,
)
from app.routing.supervision import supervised
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work


class NotInTheTalk(Conflict):
    default = "This participant is not in the talk yet, or has left it."


async def lock_participant(work: Work, participant_id: UUID) -> tuple[Call, Participant]:
    """Lock a participant and its call, the call first. Raises NotFound."""
    call_id = await work.session.scalar(
        select(Participant.call_id).where(Participant.id == participant_id)
    )
    if call_id is None:
        raise NotFound("There is no such participant in the talk.")
    call = await record.lock_call(work, call_id)
    participant = await work.session.get(
        Participant, participant_id, with_for_update=True, populate_existing=True
    )
    assert participant is not None
    return call, participant


async def joined(work: Work, call: Call, participant: Participant) -> None:
    """Record that a participant is in the conference. This completes a cold transfer."""
    if participant.state != ParticipantState.RINGING:
        return
    participant.state, participant.joined_at = ParticipantState.IN.value, work.now
    await record.record(
        work,
        call,
        CallLog.PARTICIPANT_JOINED,
        participant_id=str(participant.id),
        purpose=participant.purpose,
    )
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id), Topic.TALKS)
    if CallState(call.state) is not CallState.CONNECTED:
        await participants.end_participant(work, call, participant, Cause.TALK_OVER)
        return
    helps = participant.purpose in (ParticipantPurpose.CALL_FOR_HELP, ParticipantPurpose.SUPERVISE)
    if (
        helps
        and participant.staff_id is not None
        and await supervised.has_open_call_for_help(work, call.id)
    ):
        await calls_for_help.note_taken(work, call, participant.staff_id)
    if participant.staff_id is not None:
        # Their mode may have changed while their phone rang.
        work.defer(Task.SET_PARTICIPANT_MODE, participant_id=str(participant.id))
    if participant.purpose != ParticipantPurpose.TRANSFER:
        return
    talk = await offers.live_offer_of_call(work, call.id)
    if (
        talk is None
        or talk.counsellor_id != participant.asked_by
        or await _has_another(work, participant)
    ):
        await participants.end_participant(work, call, participant, Cause.TALK_TAKEN_OVER)
    else:
        await _hand_over(work, call, participant)


async def _has_another(work: Work, participant: Participant) -> bool:
    """Return whether a participant has another call, and so cannot take this one too."""
    if participant.staff_id is None:
        return False
    return await offers_held.has_anything(work, participant.staff_id)


async def gone(work: Work, call: Call, participant: Participant, cause: AnyCause) -> None:
    """End a participant who left or was not reached. The caller is not left in silence."""
    if participant.owner_offer_id is not None or participant.state not in LIVE:
        return
    await participants.end_participant(work, call, participant, cause)
    await lost_counsellor.leave_empty_room(work, call)
    if CallState(call.state) is not CallState.CONNECTED:
        return
    if call.handed_to == participant.id:
        # The caller was alone with them: back to us, to the front of the queue.
        await handing_over.come_back(work, call, Cause.OTHER_SIDE_LEFT)
        return
    if participant.purpose == ParticipantPurpose.CONSULT and call.held_at is not None:
        others = await participants.live_participants(work, call.id)
        if not any(other.purpose == ParticipantPurpose.CONSULT for other in others):
            await sound.set_hold(work, call, False)
    if participant.joined_at is not None or participant.staff_id is None:
        return
    if await supervised.help_taken_by(work, call.id) == participant.staff_id:
        # Their phone was not reached, so help did not come: call for it again.
        await record.record(work, call, CallLog.CALL_FOR_HELP, cause=cause)
        work.announce(Topic.TALKS)
        await calls_for_help.ring_next_supervisor(work, None, call)
    elif (
        participant.purpose == ParticipantPurpose.CALL_FOR_HELP
        and await supervised.has_open_call_for_help(work, call.id)
    ):
        await calls_for_help.ring_next_supervisor(work, None, call)


async def complete(work: Work, call: Call, participant_id: UUID) -> None:
    """Hand the talk over; the counsellor leaves. Raises NotFound, Conflict, NotInTheTalk."""
    participant = await _participant_in(work, call, participant_id)
    if participant.purpose not in (
        ParticipantPurpose.CONSULT,
        ParticipantPurpose.TRANSFER,
        ParticipantPurpose.CALL_FOR_HELP,
        ParticipantPurpose.SUPERVISE,
    ):
        raise Conflict("A talk cannot be handed over to a third party. Transfer the call instead.")
    await _hand_over(work, call, participant)


async def _hand_over(work: Work, call: Call, participant: Participant) -> None:
    talk = await inviting.talk_of(work, call)
    if await _has_another(work, participant):
        raise inviting.Busy("This colleague has another call.")
    if participant.staff_id is not None:
        await handing_over.hand_over(work, call, talk, participant)
    else:
        await handing_over.hand_outside(work, call, talk, participant)


async def together(work: Work, call: Call) -> None:
    """Resume the caller for a three-way talk. Raises Conflict."""
    await inviting.talk_of(work, call)
    await sound.set_hold(work, call, False)


async def drop(work: Work, by: Staff, call: Call, participant_id: UUID) -> None:
    """Drop one participant; the others go on. Raises NotFound, NotAllowed."""
    participant = await _participant(work, call, participant_id)
    talk = await offers.live_offer_of_call(work, call.id)
    owner = talk is not None and talk.counsellor_id == by.id
    if participant.purpose == ParticipantPurpose.SUPERVISE and participant.staff_id != by.id:
        raise NotAllowed("You cannot drop a supervisor. They leave by their own choice.")
    if not owner and participant.staff_id != by.id:
        if not may(by.role, Permission.SUPERVISE):
            raise NotAllowed("Only the counsellor who has the talk can drop a participant from it.")
        await supervised.check_supervises(work, by, call.id)
    await gone(work, call, participant, Cause.DROPPED)


async def _participant(work: Work, call: Call, participant_id: UUID) -> Participant:
    participant = await work.session.get(
        Participant, participant_id, with_for_update=True, populate_existing=True
    )
    if participant is None or participant.call_id != call.id or participant.state not in LIVE:
        raise NotFound("There is no such participant in the talk.")
    return participant


async def _participant_in(work: Work, call: Call, participant_id: UUID) -> Participant:
    participant = await _participant(work, call, participant_id)
    if participant.state != ParticipantState.IN:
        raise NotInTheTalk()
    return participant
