"""Listening to voice messages: the one place where they are opened."""

from uuid import UUID

from app.calls.models import VoiceMessage
from app.errors import NotFound
from app.staff.audit import write_entry, write_reading
from app.work import Work


async def open_message(work: Work, message_id: UUID) -> tuple[bytes, str]:
    """The audio of a message and its type; that it was opened is logged first.

    Raises NotFound.
    """
    message = await work.session.get(VoiceMessage, message_id)
    if message is None or message.audio_sealed is None:
        raise NotFound("There is no such message, or it is not here yet.")
    await write_reading(work, "voice message opened", str(message_id))
    audio = work.keys.open(
        message.audio_sealed, table="voice_messages", column="audio_sealed", row=message.id
    )
    return audio, message.audio_type or "audio/mpeg"


async def mark_heard(work: Work, message_id: UUID) -> None:
    """Somebody has listened to it and takes care of it. Raises NotFound."""
    message = await work.session.get(VoiceMessage, message_id, with_for_update=True)
    if message is None:
        raise NotFound("There is no such message.")
    if message.heard_at is None:
        message.heard_at, message.heard_by = work.now, work.actor.staff_id
        write_entry(work, "voice message done", str(message_id))
        work.announce("messages")
