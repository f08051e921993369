"""A counsellor calls for help in a talk: supervisors are rung one after the other; one takes it."""

from uuid import UUID

from sqlalchemy import select

from app.calls import record
from app.calls.log_kinds import CallLog, Cause
from app.calls.models import Call
from app.database.topics import Topic
from app.errors import Conflict
from app.routing import offers, offers_held, waking
from app.routing.models import OfferState, Presence, PresenceState
from app.routing.participants import inviting, participants, supervising
from app.routing.participants.participants import (
    LIVE,
    Mode,
    Participant,
    ParticipantPurpose,
    ParticipantState,
)
from app.routing.rota import roster
from app.routing.supervision import supervised
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work


class CallForHelpTaken(Conflict):
    default = "A colleague has taken this call for help already."


class HelpsElsewhere(Conflict):
    default = "You are rung for another talk, or are in one. Decline or leave it first."


async def call_for_help(work: Work, by: Staff, call: Call) -> bool:
    """Ring the next supervisor into the talk, because the counsellor needs help now.

    Return whether one is there; if not, all supervisors see it on the desk.
    """
    await inviting.talk_of(work, call)
    await record.record(work, call, CallLog.CALL_FOR_HELP)
    work.announce(Topic.TALKS)
    await waking.wake_supervisors(work)
    return await ring_next_supervisor(work, by, call)


async def take_call_for_help(work: Work, by: Staff, call: Call) -> bool:
    """Take a call for help: it disappears for the other supervisors, whose phones stop ringing.

    Return whether the supervisor comes into the talk, too: not without a telephone that can ring.
    Raises Conflict if a colleague has taken it, if the supervisor has a call of their own, and if
    they ring for another talk or are in one: no help would come, and it stays for the others.
    """
    talk = await inviting.talk_of(work, call)
    if talk.counsellor_id == by.id:
        raise Conflict("This is your own call for help.")
    if not await supervised.has_open_call_for_help(work, call.id):
        if await supervised.help_taken_by(work, call.id) != by.id:
            raise CallForHelpTaken()
        # The answer to the first click was lost, or the telephone was quicker.
        there = await participants.live_participants(work, call.id)
        return by.id in {participant.staff_id for participant in there}
    if await offers_held.has_anything(work, by.id):
        raise inviting.Busy("You have a call of your own. End it first.")
    try:
        async with work.session.begin_nested():
            await supervising.supervise(work, by, call, Mode.TALK)
            comes = True
    except inviting.AlreadyAsked:
        raise HelpsElsewhere() from None
    except Conflict:
        comes = False
    await note_taken(work, call, by.id)
    for participant in await participants.live_participants(work, call.id):
        rings = participant.state == ParticipantState.RINGING
        if (
            rings
            and participant.purpose == ParticipantPurpose.CALL_FOR_HELP
            and participant.staff_id != by.id
        ):
            await participants.end_participant(work, call, participant, Cause.TAKEN_BY_ANOTHER)
    return comes


async def ring_next_supervisor(work: Work, by: Staff | None, call: Call) -> bool:
    """Ring the next supervisor and return whether one is there. A busy one is skipped."""
    talk = await offers.live_offer_of_call(work, call.id)
    if talk is None or talk.state != OfferState.CONNECTED:
        return False
    if call.is_written:
        # Nothing can ring into it: the supervisors see it on the desk.
        return False
    for participant in await participants.live_participants(work, call.id):
        if participant.purpose == ParticipantPurpose.SUPERVISE and participant.staff_id is not None:
            # One is here already: let them be heard.
            await supervising.set_mode(work, call, participant, Mode.TALK)
            if participant.state == ParticipantState.IN:
                await note_taken(work, call, participant.staff_id)
            return True
    tried = select(Participant.staff_id).where(
        Participant.call_id == call.id,
        Participant.purpose == ParticipantPurpose.CALL_FOR_HELP,
        Participant.staff_id.is_not(None),
    )
    engaged = select(Participant.staff_id).where(
        Participant.state.in_(LIVE), Participant.staff_id.is_not(None)
    )
    present = await roster.on_shift(work)
    rows = await work.session.execute(
        select(Staff, Presence.state)
        .join(Presence, Presence.counsellor_id == Staff.id)
        .where(
            Staff.active,
            Staff.id != talk.counsellor_id,
            Staff.id.not_in(tried),
            Staff.id.not_in(engaged),
            Presence.state.in_(
                (PresenceState.AVAILABLE, PresenceState.WRAP_UP, PresenceState.BREAK)
            ),
        )
    )
    able = [
        (state != PresenceState.AVAILABLE, staff.id not in present, staff.name, staff)
        for staff, state in rows
        if may(staff.role, Permission.SUPERVISE)
    ]
    for _, _, _, staff in sorted(able, key=lambda one: one[:3]):
        try:
            async with work.session.begin_nested():
                await inviting.invite(work, by, call, ParticipantPurpose.CALL_FOR_HELP, staff=staff)
        except Conflict:
            continue
        return True
    await record.record(work, call, CallLog.CALL_FOR_HELP_UNANSWERED)
    return False


async def note_taken(work: Work, call: Call, staff_id: UUID) -> None:
    """Record which supervisor has taken the call for help."""
    await record.record(work, call, CallLog.CALL_FOR_HELP_TAKEN, taken_by=str(staff_id))
    work.announce(Topic.TALKS)
