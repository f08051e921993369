"""What each side is typing: a sign, and for a child who wants it, the words by the letter."""

from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app.calls.models import Call
from app.calls.states import CallState
from app.chats import messages
from app.chats.models import Author, Typing
from app.errors import Invalid
from app.routing import in_hand
from app.staff.models import Staff
from app.work import Work

# How long a sign lasts that is not repeated, and how often it is told to the other side.
LASTS = timedelta(seconds=8)
_TOLD_EVERY = timedelta(seconds=3)
_FORGOTTEN_AFTER = timedelta(minutes=2)


async def type_as_child(work: Work, call_id: UUID, text: str | None) -> None:
    """Note that the child is typing; with words if it is to be read by the letter."""
    await _note(work, call_id, Author.CHILD, text)


async def type_as_staff(work: Work, staff: Staff, call_id: UUID, text: str | None) -> None:
    """Note that the counsellor of a conversation is typing. Raises NotYours."""
    if not await in_hand.has_in_hand(work, staff, call_id):
        raise messages.NotYours()
    await _note(work, call_id, Author.COUNSELLOR, text)


async def _note(work: Work, call_id: UUID, author: Author, text: str | None) -> None:
    if text is not None and (len(text) > messages.LONGEST or "\x00" in text):
        raise Invalid("Write at most %(longest)s characters.", longest=messages.LONGEST)
    before = await work.session.get(Typing, (call_id, author.value))
    if text == "":
        # All was deleted: the sign is gone at once.
        await work.session.execute(
            delete(Typing).where(Typing.call_id == call_id, Typing.author == author.value)
        )
        if before is not None:
            await messages.announce(work, call_id, author)
        return
    state = await work.session.scalar(select(Call.state).where(Call.id == call_id))
    if state in (None, CallState.ENDED):
        return
    row_id = before.id if before is not None else uuid4()
    sealed = None
    if text is not None:
        sealed = work.keys.seal(
            text.encode(), table="chat_typing", column="text_sealed", row=row_id
        )
    told = before is not None and work.now - before.at < _TOLD_EVERY
    if told and text is None:
        return
    values = {"id": row_id, "at": work.now, "text_sealed": sealed}
    await work.session.execute(
        insert(Typing)
        .values(call_id=call_id, author=author.value, **values)
        .on_conflict_do_update(index_elements=["call_id", "author"], set_=values)
        .execution_options(synchronize_session=False)
    )
    await messages.announce(work, call_id, author)


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
