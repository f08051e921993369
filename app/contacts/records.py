"""What contacts and cases have in common: their sheet, their log, and how they are opened.

`open_record` is the only way to sealed answers: it reads the record within the reader's scope,
logs the reading, and only then returns what can unseal them. Of special codes, by which a form
asks its questions, the program itself opens as many as it goes by, and the log has that first, too
(`admit`).
"""

import base64
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import bindparam, func, select

from app.contacts.models import Contact, Definition, EarlierAnswer, Filled, RecordEvent
from app.contacts.scopes import any_reader, readable
from app.contacts.states import Subject
from app.database.quick import Command, Question
from app.database.topics import Topic
from app.definitions import in_force
from app.definitions import library as libraries
from app.definitions.answers import Answers, Sheet, Value
from app.definitions.library import Key, Library
from app.errors import Conflict, Message, NotFound, Refusal
from app.privacy.keys import Bound, CannotOpen, told
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.log_values import FoundBy
from app.staff.models import Staff
from app.work import Ground, Work

R = TypeVar("R", bound=Filled)

# Crockford's alphabet: it leaves out letters that are easily confused.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_code(letter: str) -> str:
    """Return a code to say aloud, like K-7F3-9QD-2XC; 45 random bits."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(9))
    return f"{letter}-{body[:3]}-{body[3:6]}-{body[6:]}"


def library_of(ground: Ground) -> Library:
    """Return the definitions in force."""
    kept: dict[int | None, Library] = ground.kept.setdefault("libraries", {})
    set_id = in_force.set_of(ground)
    found = kept.get(set_id)
    if found is None:
        found = kept[set_id] = libraries.load(in_force.folder_of(ground)).copy()
    return found


class UnknownDefinition(Refusal):
    status = 503
    default = (
        "This record was written with a form that this server has not read yet. "
        "Try again in a few seconds; if this stays, restart the server. The record is safe."
    )


class DefinitionChanged(Conflict):
    """A file differs from the text that records were written with."""

    def __init__(self, source: str, problem: Message) -> None:
        self.source, self.problem = source, problem
        super().__init__("%(source)s: %(problem)s", source=source, problem=problem)


async def register(work: Work, library: Library) -> set[Key]:
    """Write new definitions into the register, and return those that others of their name were
    before. Raises DefinitionChanged."""
    return await register_texts(work, library.texts, library.needed())


async def register_texts(
    work: Work, texts: dict[Key, tuple[str, str]], needed: set[Key]
) -> set[Key]:
    """Do the same for an area's own kinds of definitions.

    A shipped one that is not needed may say something else: a version that the country had made
    for itself came with a newer program. What records were written with counts.
    """
    # Several processes may start at once.
    await work.session.execute(select(func.pg_advisory_xact_lock(116_113)))
    known = await _digests(work)
    if changed := _changed({key: texts[key] for key in texts if key in needed}, known):
        raise changed[0]
    names, new = {key[:2] for key in known}, texts.keys() - known.keys()
    for key in new:
        kind, name, version = key
        work.session.add(
            Definition(
                kind=kind,
                name=name,
                version=version,
                digest=libraries.digest_of(texts[key][0]),
                text=texts[key][0],
                registered_at=work.now,
            )
        )
    return {key for key in new if key[:2] in names}


async def changed_texts(work: Work, texts: dict[Key, tuple[str, str]]) -> list[DefinitionChanged]:
    """Return which of these texts differ from those that the register holds."""
    return _changed(texts, await _digests(work))


def _changed(texts: dict[Key, tuple[str, str]], known: dict[Key, bytes]) -> list[DefinitionChanged]:
    return [
        DefinitionChanged(
            source,
            Message(
                "%(name)s version %(version)s was changed after it came into use. "
                "Undo the change, or give it version %(next)s.",
                name=key[1],
                version=key[2],
                next=max(version for *of, version in known if tuple(of) == key[:2]) + 1,
            ),
        )
        for key, (text, source) in texts.items()
        if key in known and known[key] != libraries.digest_of(text)
    ]


async def _digests(work: Work) -> dict[Key, bytes]:
    rows = await work.session.execute(
        select(Definition.kind, Definition.name, Definition.version, Definition.digest)
    )
    return {(kind, name, version): digest for kind, name, version, digest in rows}


async def registered(work: Work) -> dict[Key, str]:
    """Return every text of the register: what records were written with."""
    rows = await work.session.execute(
        select(Definition.kind, Definition.name, Definition.version, Definition.text)
    )
    return {(kind, name, version): text for kind, name, version, text in rows}


def sheet_of(work: Work, record: Filled) -> Sheet:
    """Return the form and trees that a record was written with. Raises UnknownDefinition."""
    try:
        return library_of(work.ground).sheet(
            (record.form, record.form_version),
            (record.categories, record.categories_version),
            (record.places, record.places_version),
        )
    except KeyError:
        raise UnknownDefinition() from None


def beginning(work: Work, kind: str) -> dict[str, Any]:
    """Return the first columns of a new record of a kind, with the newest versions in force."""
    library = library_of(work.ground)
    form, categories, places = library.form_for(kind), library.categories, library.places
    return {
        "id": uuid4(),
        "code": new_code({"contact": "K", "case": "C", "referral": "R"}[kind]),
        "form": form.form,
        "form_version": form.version,
        "categories": categories.tree,
        "categories_version": categories.version,
        "places": places.tree,
        "places_version": places.version,
        "opened_at": work.now,
    }


def present(record: Filled) -> Answers:
    """Return the answers with a mark for each sealed one: that it is there, and not what it is."""
    return {**record.answers, **dict.fromkeys(record.sealed, "sealed")}


# -- sealing -----------------------------------------------------------------------------------

# Special codes are filled up to a multiple of this: their length would tell which they are.
_FILLED_UP = 128


async def seal_answers(work: Work, record: Filled, answers: Answers) -> dict[str, str]:
    """Return answers sealed for storage, each bound to the record and its question.

    Spaces after codes mean nothing in JSON, and give answers of one question one length.
    """
    table, row = record.__tablename__, record.id
    sealed = await work.keys.seal_all(
        [
            (Bound(table, path, row), _body(work, record, path, value))
            for path, value in answers.items()
        ]
    )
    texts = [base64.b64encode(one).decode() for one in sealed]
    return dict(zip(answers, texts, strict=True))


def seal_answer(work: Work, record: Filled, path: str, value: Value) -> str:
    """Return one answer sealed for storage, as `seal_answers` does."""
    body = _body(work, record, path, value)
    sealed = work.keys.seal(body, table=record.__tablename__, column=path, row=record.id)
    return base64.b64encode(sealed).decode()


def _body(work: Work, record: Filled, path: str, value: Value) -> bytes:
    body = json.dumps(value, ensure_ascii=False).encode()
    return filled_up(body) if sheet_of(work, record).is_special(path) else body


def filled_up(body: bytes) -> bytes:
    """Return JSON with spaces up to a length that tells nothing."""
    return body.ljust(-(-len(body) // _FILLED_UP) * _FILLED_UP)


def seal_categories(work: Work, record: Filled, codes: list[str]) -> bytes | None:
    """Return the categories of a record with those above them, as lists show them, sealed."""
    if not codes:
        return None
    return work.keys.seal(
        filled_up(json.dumps(codes).encode()),
        table=record.__tablename__,
        column="categories_sealed",
        row=record.id,
    )


def open_categories(work: Work, table: str, row: UUID, sealed: bytes | None) -> list[str]:
    """Return the categories of a record in a list; the list is in the log by now."""
    if sealed is None:
        return []
    column = "categories_sealed"
    codes: list[str] = json.loads(work.keys.open(sealed, table=table, column=column, row=row))
    return codes


# -- the codes that the program goes by ----------------------------------------------------------

# Within this time, a person who goes on with the same record adds no row to the log.
_ONE_READING = timedelta(minutes=15)
_MOST_REMEMBERED = 20_000


class NotAdmitted(Refusal):
    """Special codes were to be opened of a record whose reading is not in the log."""

    status = 500
    default = "The record was not opened. Load the page again."


async def admit(work: Work, record: Filled) -> None:
    """Write to the log that the special codes of a record are opened, before they are.

    The caller has the record within its scope: it was locked for writing, or read, for the actor
    of this work. A form that is saved again and again is one reading.
    """
    if record.id in work.admitted:
        return
    if record.sealed or record.categories_sealed:
        readings = _readings(work)
        key = _reading(work, record.id)
        if readings.get(key, work.now) <= work.now:
            name = record.__tablename__.removesuffix("s")
            await write_reading(work, AuditLog.CODES_READ, f"{name}:{record.id}")
            _remember(work, record.id)
    work.admitted.add(record.id)


async def admit_list(work: Work, records: Sequence[Filled], by: FoundBy) -> None:
    """Write to the log that these records are shown in a list, with their categories."""
    if records:
        what = records[0].__tablename__
        ids = [str(record.id) for record in records]
        await write_reading(work, AuditLog.RECORDS_LISTED, what, by=[by], ids=ids)
        work.admitted.update(record.id for record in records)


def _readings(work: Work) -> dict[Any, datetime]:
    known: dict[Any, datetime] = work.ground.kept.setdefault("codes read", {})
    return known


def _reading(work: Work, record_id: UUID) -> Any:
    return (work.actor.staff_id or work.actor.kind, work.actor.emergency, record_id)


def _remember(work: Work, record_id: UUID) -> None:
    readings = _readings(work)
    if len(readings) >= _MOST_REMEMBERED:
        readings.clear()
    readings[_reading(work, record_id)] = work.now + _ONE_READING


def codes_of(work: Work, record: Filled) -> Answers:
    """Return the answers as the program goes by them: special codes opened, texts only marked.

    Raises NotAdmitted unless `admit` or `open_record` has written the reading to the log.
    """
    sheet, found = sheet_of(work, record), present(record)
    for path, sealed in record.sealed.items():
        if sheet.is_special(path):
            if record.id not in work.admitted:
                raise NotAdmitted()
            found[path] = _open_answer(work, record, path, sealed)
    return found


async def codes_read(work: Work, record: Filled) -> Answers:
    """Write the reading to the log, and return the answers as the program goes by them."""
    await admit(work, record)
    return codes_of(work, record)


def categories_of(work: Work, record: Filled) -> list[str]:
    """Return the categories of an admitted record, with those above them. Raises NotAdmitted."""
    if record.categories_sealed is None:
        return []
    if record.id not in work.admitted:
        raise NotAdmitted()
    return open_categories(work, record.__tablename__, record.id, record.categories_sealed)


def _open_answer(work: Work, record: Filled, path: str, sealed: str) -> Value:
    body = work.keys.open(
        base64.b64decode(sealed), table=record.__tablename__, column=path, row=record.id
    )
    value: Value = json.loads(body)
    return value


@dataclass(frozen=True)
class Opened(Generic[R]):
    """A record whose reading is in the log, so that it can be unsealed."""

    work: Work
    record: R
    # Its sealed answers, which were opened together, by what was stored.
    known: dict[str, bytes | CannotOpen] = field(default_factory=dict)

    async def open_all(self, answers: Iterable[tuple[str, str]]) -> None:
        """Open sealed answers together, each of a question, before they are asked for."""
        wanted = [(path, sealed) for path, sealed in answers if sealed not in self.known]
        table, row = self.record.__tablename__, self.record.id
        opened = await self.work.keys.open_all(
            [(Bound(table, path, row), base64.b64decode(sealed)) for path, sealed in wanted]
        )
        self.known.update(zip((sealed for _, sealed in wanted), opened, strict=True))

    def __post_init__(self) -> None:
        self.work.admitted.add(self.record.id)

    @property
    def id(self) -> UUID:
        return self.record.id

    def answer(self, path: str) -> Value | None:
        """Return one answer, sealed or not."""
        sealed = self.record.sealed.get(path)
        if sealed is None:
            plain: Value | None = self.record.answers.get(path)
            return plain
        return self.unseal_answer(path, sealed)

    def unseal_answer(self, path: str, sealed: str) -> Value:
        """Open a sealed answer to one of the record's questions, current or earlier."""
        body = self.known.get(sealed)
        if body is None:
            body = self.work.keys.open(
                base64.b64decode(sealed),
                table=self.record.__tablename__,
                column=path,
                row=self.record.id,
            )
        value: Value = json.loads(told(body))
        return value

    def answers(self) -> Answers:
        """Return all answers."""
        paths = [*self.record.answers, *self.record.sealed]
        return {path: value for path in paths if (value := self.answer(path)) is not None}

    def unseal(self, sealed: bytes | None, *, table: str, column: str, row: UUID) -> bytes | None:
        """Open a sealed column of a row that belongs to this record."""
        if sealed is None:
            return None
        return self.work.keys.open(sealed, table=table, column=column, row=row)

    def words(self, sealed: bytes | None, *, table: str, column: str, row: UUID) -> str:
        """Open a sealed column as text; empty if there is none."""
        return (self.unseal(sealed, table=table, column=column, row=row) or b"").decode()

    async def all_words(self, sealed: Sequence[tuple[bytes | None, Bound]]) -> list[str]:
        """Open sealed columns as texts, all together; empty where there is none."""
        there = [(bound, one) for one, bound in sealed if one is not None]
        texts = iter([told(one).decode() for one in await self.work.keys.open_all(there)])
        return ["" if one is None else next(texts) for one, _ in sealed]


class Plain:
    """A record read for display: it has the columns, and belongs to no session."""

    def __init__(self, table: str, row: dict[str, Any]) -> None:
        self.__dict__ = row
        self.__tablename__ = table


def is_contact(record: Any) -> bool:
    """Return whether a record is a contact and not a case, however it was read."""
    return bool(record.__tablename__ == Contact.__tablename__)


async def open_record(
    work: Work, staff: Staff, model: type[R], record_id: UUID, purpose: AuditLog
) -> Opened[R]:
    """Open a record that the person may read; the reading is logged first. Raises NotFound."""
    quick = work.ground.database.quick
    kind: Any = model
    rows = await quick.rows(
        _by_id(kind, staff.role), id=record_id, reader=staff.id, team=staff.team
    )
    if not rows:
        raise NotFound("Not found, or you do not have access.")
    await write_reading(work, purpose, f"{model.__name__.lower()}:{record_id}")
    _remember(work, record_id)
    record: Any = Plain(model.__tablename__, rows[0])
    opened = Opened(work, record)
    await opened.open_all(record.sealed.items())
    return opened


@cache
def _by_id(model: Any, role: str) -> Question:
    return Question(
        readable(model, any_reader(role))
        .with_only_columns(*model.__table__.columns)
        .where(model.id == bindparam("id"))
    )


# -- the log of a record -----------------------------------------------------------------------

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
    "previous",
    "hash",
)


def note_event(
    work: Work,
    subject: Subject,
    subject_id: UUID,
    kind: str,
    *,
    words: str | None = None,
    **detail: Any,
) -> None:
    """Append to the log of a locked contact, case or profile; `words` are sealed."""
    words_id = uuid4() if words else None
    sealed = None
    if words and words_id:
        sealed = work.keys.seal(
            words.encode(), table="record_events", column="words_sealed", row=words_id
        )
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
            "words_sealed": sealed,
            "words_id": words_id,
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
