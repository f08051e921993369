"""A supervisor takes part in a talk: listens in, whispers to the counsellor, or joins."""

from app.calls import record
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.database.topics import Topic
from app.errors import Conflict
from app.jobs.names import Task
from app.routing import offers_held, sound
from app.routing.models import Presence
from app.routing.participants import inviting, participants
from app.routing.participants.participants import (
    Mode,
    Participant,
    ParticipantPurpose,
)
from app.routing.supervision import supervised
from app.staff.models import Staff
from app.work import Work


async def supervise(work: Work, by: Staff, call: Call, mode: Mode) -> Participant:
    """Listen in, whisper to the counsellor, or join. If already in, change the mode."""
    talk = await inviting.talk_of(work, call)
    sound.need_voice(call)
    if talk.counsellor_id == by.id:
        raise Conflict("This is your own talk. You cannot supervise it.")
    await supervised.check_supervises(work, by, call.id)
    for participant in await participants.live_participants(work, call.id):
        if participant.staff_id == by.id:
            await set_mode(work, call, participant, mode)
            return participant
    presence = await work.session.get(Presence, by.id, populate_existing=True)
    if presence is not None and presence.state in offers_held.BUSY:
        raise inviting.Busy("You have a call of your own. End it first.")
    return await inviting.invite(work, by, call, ParticipantPurpose.SUPERVISE, staff=by, mode=mode)


async def set_mode(work: Work, call: Call, participant: Participant, mode: Mode) -> None:
    """Change how a supervisor takes part; tell the provider after the commit."""
    if participant.mode != mode.value:
        participant.mode = mode.value
        await record.record(
            work,
            call,
            CallLog.PARTICIPANT_MODE,
            participant_id=str(participant.id),
            mode=mode.value,
        )
        work.announce(Topic.TALKS)
    # Tell the provider even if the row has this mode already: the provider may not know it.
    work.defer(Task.SET_PARTICIPANT_MODE, participant_id=str(participant.id))
