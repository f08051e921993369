"""What is written in a conversation is translated by an engine of the helpline's own, for its
counsellor alone. Nothing of it is stored: it is asked for again when it is to be seen again.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select

from app.calls.models import Call
from app.chats import messages, reading
from app.chats.models import Author, ReaderKind
from app.errors import Invalid, NotFound, Refusal
from app.outbox.translation.base import NoTranslation, Why
from app.outbox.translation.engines import engine_of
from app.routing import in_hand
from app.staff.models import Staff
from app.words import spoken_as, turned_into
from app.words.pages import reader
from app.work import Work

# Messages in one request; a page asks for those that it shows, some at a time.
MOST = 40


class NoEngine(NotFound):
    default = "This server has no engine for translations."


class NotTranslated(Refusal):
    """The conversation goes on without a translation."""

    status = 503
    default = "The engine for translations does not answer. Go on without it."


def _refusal(why: Why) -> NotTranslated:
    if why is Why.LANGUAGES:
        return NotTranslated("The engine does not translate between these languages.")
    if why is Why.KEY:
        return NotTranslated("The engine for translations refuses the key of this server.")
    return NotTranslated()


async def of_messages(
    work: Work, staff: Staff, call_id: UUID, numbers: Collection[int]
) -> list[tuple[int, str]]:
    """Return messages of a conversation that one has, in the language of their reader, by number.

    Raises NotYours, NoEngine, NotTranslated, Invalid.
    """
    if not numbers or len(numbers) > MOST:
        raise Invalid("Ask for 1 to %(most)s messages.", most=MOST)
    language = await _language(work, staff, call_id)
    # What her page has not fetched is not delivered by this.
    said = await reading.some_of(work, call_id, numbers)
    found = [
        (one.number, one.words)
        for one in said
        if one.words
        and one.kind is ReaderKind.SAID
        and one.author in (Author.CHILD, Author.COUNSELLOR)
    ]
    texts = [words for _, words in found]
    made = await _translated(work, texts, language, spoken_as(reader()))
    return [
        (number, turned_into(reader(), text, words) if text != words else text)
        for (number, words), text in zip(found, made, strict=True)
    ]


async def of_draft(work: Work, staff: Staff, call_id: UUID, text: str) -> str:
    """Return what a counsellor has written and not sent, in the language of the child.

    Raises NotYours, NoEngine, NotTranslated, Invalid.
    """
    text = text.strip()
    if not text or len(text) > messages.LONGEST:
        raise Invalid("Write 1 to %(longest)s characters.", longest=messages.LONGEST)
    language = await _language(work, staff, call_id)
    (made,) = await _translated(work, [text], spoken_as(reader()), language)
    return made


async def _language(work: Work, staff: Staff, call_id: UUID) -> str:
    """Return the language of the child of a conversation that one has."""
    if engine_of(work.settings) is None:
        raise NoEngine()
    if not await in_hand.has_in_hand(work, staff, call_id):
        raise reading.NotYours()
    return await work.session.scalar(select(Call.language).where(Call.id == call_id)) or ""


async def _translated(work: Work, texts: list[str], source: str, target: str) -> list[str]:
    engine = engine_of(work.settings)
    if engine is None or not texts or source == target:
        return texts
    # The engine takes seconds; no connection to the database is held meanwhile.
    await work.let_go()
    try:
        return await engine.translate(texts, source, target)
    except NoTranslation as error:
        raise _refusal(error.why) from None
