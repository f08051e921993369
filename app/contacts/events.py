"""The log of a record: what happened to it, and the answers that were overwritten."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from app.contacts.log_kinds import RecordKind
from app.contacts.models import Contact, EarlierAnswer, RecordEvent
from app.contacts.records import Opened
from app.contacts.states import Subject
from app.database.quick import Command
from app.database.topics import Topic
from app.definitions.answers import Value
from app.privacy.keys import Bound
from app.work import Work

_EVENT = Command(
    RecordEvent.__table__,
    "subject_kind",
    "subject_id",
    "kind",
    "at",
    "staff_id",
    "detail",
    "words_sealed",
    "words_id",
    "words_sum",
    "salt_sealed",
    "previous",
    "hash",
)
_NO_WORDS = {"words_sealed": None, "words_sum": None, "salt_sealed": None}


def note_event(
    work: Work,
    subject: Subject,
    subject_id: UUID,
    kind: RecordKind,
    *,
    words: str | None = None,
    **detail: Any,
) -> None:
    """Append to the log of a locked contact, case or profile; `words` are sealed."""
    words_id = uuid4() if words else None
    sealed: dict[str, Any] = _NO_WORDS
    if words and words_id:
        sealed = work.keys.seal_with_sum(
            words.encode(), table="record_events", column="words_sealed", row=words_id
        ).as_columns("words_sealed")
    work.chain_later(
        subject_id,
        _EVENT,
        {
            "subject_kind": subject.value,
            "subject_id": subject_id,
            "kind": str(kind),
            "at": work.now,
            "staff_id": work.actor.staff_id,
            "detail": detail,
            "words_id": words_id,
            **sealed,
            "previous": b"",
            "hash": b"",
        },
    )
    work.announce(Topic.RECORDS, Topic.RECORD.of(subject_id))
    if work.actor.staff_id is not None:
        work.announce(Topic.RECORDS.of(work.actor.staff_id))


async def events_of(opened: Opened[Any]) -> list[tuple[RecordEvent, str]]:
    """Return the log of an opened record, oldest first, with what people wrote."""
    rows = await opened.work.session.scalars(
        select(RecordEvent).where(RecordEvent.subject_id == opened.id).order_by(RecordEvent.id)
    )
    events = list(rows)
    words = await opened.all_words(
        [
            (one.words_sealed, Bound("record_events", "words_sealed", one.words_id or event_nil))
            for one in events
        ]
    )
    return list(zip(events, words, strict=True))


event_nil = UUID(int=0)


async def events_of_contacts(work: Work, contacts: list[Contact]) -> list[tuple[RecordEvent, str]]:
    """Return the log of a case's contacts, each with its code, without what people wrote."""
    codes = {contact.id: contact.code for contact in contacts}
    rows = await work.session.scalars(
        select(RecordEvent)
        .where(RecordEvent.subject_id.in_(list(codes)))
        .order_by(RecordEvent.at, RecordEvent.id)
    )
    return [(event, codes[event.subject_id]) for event in rows]


async def earlier_of(opened: Opened[Any]) -> list[tuple[EarlierAnswer, Value | None]]:
    """Return the overwritten answers of an opened record, newest first."""
    rows = await opened.work.session.scalars(
        select(EarlierAnswer)
        .where(EarlierAnswer.subject_id == opened.id)
        .order_by(EarlierAnswer.id.desc())
        .limit(200)
    )
    earlier = list(rows)
    await opened.open_all([(row.path, row.sealed) for row in earlier if row.sealed])
    return [
        (row, opened.unseal_answer(row.path, row.sealed) if row.sealed else row.answer)
        for row in earlier
    ]
