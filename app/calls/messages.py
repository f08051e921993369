"""Voice messages: the one place where their audio is opened."""

from uuid import UUID

from sqlalchemy import select

from app.calls.models import VoiceMessage
from app.calls.states import MessageState
from app.database.topics import Topic
from app.errors import Conflict, NotFound
from app.staff.audit import write_entry, write_reading
from app.staff.log_kinds import AuditLog
from app.work import Work


async def open_message(work: Work, message_id: UUID) -> tuple[bytes, str]:
    """Return the audio of a message and its type; the opening is logged first.

    Raises NotFound.
    """
    message = await work.session.get(VoiceMessage, message_id)
    if message is None or message.audio_sealed is None:
        raise NotFound("There is no such message, or its recording has not arrived yet.")
    await write_reading(work, AuditLog.VOICE_MESSAGE_OPENED, str(message_id))
    audio = work.keys.open(
        message.audio_sealed, table="voice_messages", column="audio_sealed", row=message.id
    )
    return audio, message.audio_type or "audio/mpeg"


async def take(work: Work, message_id: UUID, owner_id: UUID) -> None:
    """Make a person responsible for a message. Raises NotFound, and Conflict if it is done."""
    message = await work.session.get(VoiceMessage, message_id, with_for_update=True)
    if message is None or message.state == MessageState.ABSENT:
        raise NotFound("There is no such message.")
    if message.heard_at is not None:
        raise Conflict("A colleague has listened to this message and marked it as done.")
    if message.owner_id != owner_id:
        message.owner_id = owner_id
        write_entry(work, AuditLog.VOICE_MESSAGE_TAKEN, str(message_id), owner=str(owner_id))
        work.announce(Topic.MESSAGES)


async def give_all(work: Work, owner_id: UUID, to_id: UUID) -> int:
    """Make a colleague responsible for the messages of a person who leaves. Return how many."""
    rows = await work.session.scalars(
        select(VoiceMessage.id).where(
            VoiceMessage.owner_id == owner_id, VoiceMessage.heard_at.is_(None)
        )
    )
    found = rows.all()
    for message_id in found:
        await take(work, message_id, to_id)
    return len(found)


async def mark_heard(work: Work, message_id: UUID) -> None:
    """Mark a message as heard and done by the person who acts. Raises NotFound."""
    message = await work.session.get(VoiceMessage, message_id, with_for_update=True)
    if message is None:
        raise NotFound("There is no such message.")
    if message.heard_at is None:
        message.heard_at, message.heard_by = work.now, work.actor.staff_id
        message.owner_id = message.owner_id or work.actor.staff_id
        write_entry(work, AuditLog.VOICE_MESSAGE_DONE, str(message_id))
        work.announce(Topic.MESSAGES)
