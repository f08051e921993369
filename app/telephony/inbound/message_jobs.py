"""The job that fetches a voice message, seals it, and deletes it at the provider."""

import contextlib
from uuid import UUID

from procrastinate import JobContext

from app.calls import record
from app.calls.log_kinds import CallLog, Cause
from app.calls.models import VoiceMessage
from app.calls.states import MessageState
from app.database.topics import Topic
from app.errors import NotFound
from app.jobs.names import Task
from app.outbox.responses import RequestFailed
from app.privacy.keys import Bound
from app.routing.responsible import pick_owner
from app.staff.roles import Permission
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.platforms.base import CannotDo

# After this many "not found" responses a recording counts as absent.
_MISSING = 8


@task(Task.IMPORT_MESSAGE)
async def import_message(context: JobContext, message_id: str) -> None:
    """Fetch a voice message, seal it, and delete it at the provider."""
    parts = parts_of(context)
    async with parts.work() as work:
        message = await work.session.get(VoiceMessage, UUID(message_id))
        if message is None or message.provider_deleted_at is not None:
            return
        sid, imported = message.recording_sid, message.state == MessageState.IMPORTED
    if not imported:
        try:
            audio = await parts.platform.fetch_recording(sid)
        except RequestFailed as error:
            if error.status != 404 or context.job.attempts + 1 < _MISSING:
                raise
            await _note_message(parts, message_id, None)
            return
        await _note_message(parts, message_id, audio)
    try:
        await parts.platform.delete_recording(sid)
    except CannotDo:
        # The recording has to be deleted there by hand.
        return
    async with parts.work() as work:
        message = await work.session.get(VoiceMessage, UUID(message_id))
        assert message is not None
        message.provider_deleted_at = work.now


async def _note_message(parts: Parts, message_id: str, audio: tuple[bytes, str] | None) -> None:
    async with parts.work() as work:
        message = await work.session.get(VoiceMessage, UUID(message_id))
        assert message is not None
        call = await record.lock_call(work, message.call_id)
        if audio is None:
            message.state = MessageState.ABSENT.value
            call.messages -= 1
            await record.record(work, call, CallLog.MESSAGE_ABSENT)
        else:
            bound = Bound("voice_messages", "audio_sealed", message.id)
            (message.audio_sealed,) = await work.keys.seal_all([(bound, audio[0])])
            message.audio_type, message.state = audio[1], MessageState.IMPORTED.value
            # It is a task from the first moment, and its owner answers for it until it is done.
            with contextlib.suppress(NotFound):
                message.owner_id = (
                    message.owner_id or (await pick_owner(work, Permission.HEAR_MESSAGES)).id
                )
            await record.record(work, call, CallLog.MESSAGE_IMPORTED)
        await record.restate(work, call, Cause.MESSAGE_FETCHED)
        work.announce(Topic.MESSAGES)
