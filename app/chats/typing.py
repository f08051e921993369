"""What each side is typing: a sign, and if the child wants it, the words by the letter."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update

from app.chats import messages, reading, statements
from app.chats.models import Access, Author, Typing
from app.errors import Invalid
from app.staff.models import Staff
from app.work import Work

# How long a sign lasts that is not repeated, and how often it is told to the other side.
LASTS = timedelta(seconds=8)
_TOLD_EVERY = timedelta(seconds=3)
_FORGOTTEN_AFTER = timedelta(minutes=2)


async def type_as_child(work: Work, call_id: UUID, text: str | None) -> None:
    """Note that the child is typing; with words if it is to be read by the letter."""
    await _note(work, call_id, text)


async def choose_letters(work: Work, call_id: UUID, on: bool) -> None:
    """Note whether a child wants each letter read as it is typed: its own, and those of its
    counsellor, whose page is told. Choosing it again changes nothing."""
    changed = await work.session.scalar(
        update(Access)
        .where(Access.call_id == call_id, Access.letters != on)
        .values(letters=on)
        .returning(Access.call_id)
        .execution_options(synchronize_session=False)
    )
    if changed is not None:
        await messages.announce(work, call_id, Author.CHILD)


async def type_as_staff(work: Work, staff: Staff, call_id: UUID, text: str | None) -> None:
    """Note that the counsellor of a conversation is typing; with words, if its child has chosen to
    read by the letter. Raises NotYours."""
    if text:
        chosen = select(Access.letters).where(Access.call_id == call_id)
        text = text if await work.session.scalar(chosen) else None
    if not await _note(work, call_id, text, staff.id):
        raise reading.NotYours()


async def _note(work: Work, call_id: UUID, text: str | None, staff_id: UUID | None = None) -> bool:
    if text is not None and (len(text) > messages.LONGEST or "\x00" in text):
        raise Invalid("Write at most %(longest)s characters.", longest=messages.LONGEST)
    return await statements.note_typing(work, call_id, text, work.now - _TOLD_EVERY, staff_id)


async def is_typing(work: Work, call_id: UUID, seen_at: datetime) -> bool:
    """Return whether a child was typing when its page was last seen."""
    at = await work.session.scalar(
        select(Typing.at).where(Typing.call_id == call_id, Typing.author == Author.CHILD)
    )
    return at is not None and at > seen_at - LASTS


def opened(work: Work, row_id: UUID, sealed: bytes | None) -> str | None:
    """Return the words that are being typed; that their reader may read them has been checked."""
    if sealed is None:
        return None
    return work.keys.open(sealed, table="chat_typing", column="text_sealed", row=row_id).decode()


async def forget(work: Work, call_id: UUID) -> None:
    """Forget what was being typed in a conversation that is over."""
    await work.session.execute(delete(Typing).where(Typing.call_id == call_id))


async def forget_old(work: Work) -> None:
    """Forget what was being typed a while ago, wherever the conversation went."""
    await work.session.execute(delete(Typing).where(Typing.at < work.now - _FORGOTTEN_AFTER))
