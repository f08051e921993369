"""What was written is erased: the words, what came with them, and what is noted of the words.

Who wrote when stays.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import exists, select, update

from app.calls.models import Call
from app.chats import media
from app.chats.models import Author, Message
from app.work import Work


async def erase(work: Work, message_ids: Sequence[UUID]) -> None:
    """Erase the words of messages, and which of them spoke of danger. That some did is forgotten
    with the last words of the child. May run twice."""
    await work.session.execute(media.erasing(message_ids))
    await work.session.execute(
        update(Message)
        .where(Message.id.in_(message_ids), Message.text_sealed.is_not(None))
        .values(text_sealed=None, erased_at=work.now)
        .execution_options(synchronize_session=False)
    )
    conversations = select(Message.call_id).where(Message.id.in_(message_ids))
    await work.session.execute(
        update(Call)
        .where(Call.id.in_(conversations), Call.danger_words_sealed.is_not(None))
        .values(danger_words_sealed=None)
        .execution_options(synchronize_session=False)
    )
    words = exists().where(
        Message.call_id == Call.id,
        Message.author == Author.CHILD,
        Message.text_sealed.is_not(None),
    )
    await work.session.execute(
        update(Call)
        .where(Call.id.in_(conversations), Call.alarming, ~words)
        .values(alarming=False)
        .execution_options(synchronize_session=False)
    )
