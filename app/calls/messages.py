"""Voice messages: who may hear which, and the one place where their audio is opened.

A message that no person has taken is for all teams: it must not wait for one of them. From then on
it belongs to the team of the person who took it.
"""

from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select

from app.calls.models import VoiceMessage
from app.calls.states import MessageState
from app.database.topics import Topic
from app.errors import Conflict, NotFound
from app.privacy.keys import Bound, told
from app.staff import receiving
from app.staff.audit import write_entry, write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work


def of_team(team: str | ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition for the messages that the people of a team may hear."""
    people = select(Staff.id).where(Staff.team == team)
    return or_(
        and_(VoiceMessage.taken_at.is_(None), VoiceMessage.heard_at.is_(None)),
        and_(VoiceMessage.taken_at.is_not(None), VoiceMessage.owner_id.in_(people)),
        VoiceMessage.heard_by.in_(people),
    )


async def _lock(work: Work, staff: Staff, message_id: UUID) -> VoiceMessage:
    """Lock a message that a person may hear. Raises NotFound."""
    message: VoiceMessage | None = await work.session.scalar(
        select(VoiceMessage)
        .where(VoiceMessage.id == message_id, of_team(staff.team))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if message is None or message.state == MessageState.ABSENT:
        raise NotFound("There is no such message.")
    return message


async def open_message(work: Work, staff: Staff, message_id: UUID) -> tuple[bytes, str]:
    """Return the audio of a message and its type; the opening is logged first.

    Raises NotFound.
    """
    message: VoiceMessage | None = await work.session.scalar(
        select(VoiceMessage).where(VoiceMessage.id == message_id, of_team(staff.team))
    )
    if message is not None and message.erased_at is not None:
        raise NotFound("The sound was erased: its time is over, or its person asked for it.")
    if message is None or message.audio_sealed is None:
        raise NotFound("There is no such message, or its recording has not arrived yet.")
    await write_reading(work, AuditLog.VOICE_MESSAGE_OPENED, str(message_id))
    bound = Bound("voice_messages", "audio_sealed", message.id)
    (audio,) = await work.keys.open_all([(bound, message.audio_sealed)])
    return told(audio), message.audio_type or "audio/mpeg"


async def take(work: Work, staff: Staff, message_id: UUID) -> None:
    """Make a person responsible for a message. Raises NotFound, and Conflict if it is done."""
    await receiving.check_receives(work, staff)
    message = await _lock(work, staff, message_id)
    if message.heard_at is not None:
        raise Conflict("A colleague has listened to this message and marked it as done.")
    if message.owner_id != staff.id or message.taken_at is None:
        message.taken_at = work.now
        _give(work, message, staff.id)


def _give(work: Work, message: VoiceMessage, owner_id: UUID) -> None:
    message.owner_id = owner_id
    write_entry(work, AuditLog.VOICE_MESSAGE_TAKEN, str(message.id), owner=str(owner_id))
    work.announce(Topic.MESSAGES)


async def give_all(work: Work, owner_id: UUID, to_id: UUID) -> int:
    """Make a colleague responsible for the messages of a person who leaves. Return how many."""
    rows = await work.session.scalars(
        select(VoiceMessage)
        .where(VoiceMessage.owner_id == owner_id, VoiceMessage.heard_at.is_(None))
        .with_for_update()
    )
    found = rows.all()
    for message in found:
        _give(work, message, to_id)
    return len(found)


async def mark_heard(work: Work, staff: Staff, message_id: UUID) -> None:
    """Mark a message as heard and done. Raises NotFound."""
    message = await _lock(work, staff, message_id)
    if message.heard_at is None:
        message.heard_at, message.heard_by = work.now, staff.id
        message.owner_id = message.owner_id or staff.id
        write_entry(work, AuditLog.VOICE_MESSAGE_DONE, str(message_id))
        work.announce(Topic.MESSAGES)
