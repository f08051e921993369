"""Voice messages: the one place where their audio is opened."""

from uuid import UUID

from app.calls.models import VoiceMessage
from app.errors import Conflict, NotFound
from app.staff.audit import write_entry, write_reading
from app.work import Work


async def open_message(work: Work, message_id: UUID) -> tuple[bytes, str]:
    """Return the audio of a message and its type; the opening is logged first.

    Raises NotFound.
    """
    message = await work.session.get(VoiceMessage, message_id)
    if message is None or message.audio_sealed is None:
        raise NotFound("There is no such message, or its recording has not arrived yet.")
    await write_reading(work, "voice message opened", str(message_id))
    audio = work.keys.open(
        message.audio_sealed, table="voice_messages", column="audio_sealed", row=message.id
    )
    return audio, message.audio_type or "audio/mpeg"


async def take(work: Work, message_id: UUID, owner_id: UUID) -> None:
    """Make a person responsible for a message. Raises NotFound, and Conflict if it is done."""
    message = await work.session.get(VoiceMessage, message_id, with_for_update=True)
    if message is None or message.state == "absent":
        raise NotFound("There is no such message.")
    if message.heard_at is not None:
        raise Conflict("A colleague has listened to this message and marked it as done.")
    if message.owner_id != owner_id:
        message.owner_id = owner_id
        write_entry(work, "voice message taken", str(message_id), owner=str(owner_id))
        work.announce("messages")


async def mark_heard(work: Work, message_id: UUID) -> None:
    """Mark a message as heard and done by the person who acts. Raises NotFound."""
    message = await work.session.get(VoiceMessage, message_id, with_for_update=True)
    if message is None:
        raise NotFound("There is no such message.")
    if message.heard_at is None:
        message.heard_at, message.heard_by = work.now, work.actor.staff_id
        message.owner_id = message.owner_id or work.actor.staff_id
        write_entry(work, "voice message done", str(message_id))
        work.announce("messages")
