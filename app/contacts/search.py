"""Finding records: only among what the reader may see, and never by opening what is sealed."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, literal, literal_column, select, tuple_

from app.calls.models import Call
from app.contacts.models import Case, Contact, MatchKey
from app.contacts.saving import keys_of
from app.contacts.scopes import readable
from app.contacts.words import normal_words, sound_of
from app.errors import Invalid
from app.privacy.numbers import e164
from app.staff.audit import write_reading
from app.staff.models import Staff
from app.work import Work

R = TypeVar("R", bound=Contact | Case)
PAGE = 50


@dataclass(frozen=True)
class Wanted:
    """What is looked for; nothing set means everything. Times are half-open."""

    code: str | None = None
    category: str | None = None
    place: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    counsellor: str | None = None
    status: str | None = None
    urgency: str | None = None
    name: str | None = None
    number: str | None = None
    headline: str | None = None
    cursor: str | None = None

    def kinds(self) -> list[str]:
        """By what it is looked for, without the values: for the log."""
        return [key for key, value in vars(self).items() if value is not None and key != "cursor"]


async def search(
    work: Work, staff: Staff, model: type[R], wanted: Wanted
) -> tuple[list[R], str | None]:
    """A page of records, newest first, and the cursor of the next. Raises Invalid.

    A search is a reading: what was looked by is logged, not what for.
    """
    subject = f"{model.__name__.lower()}s"
    if wanted.kinds():
        await write_reading(work, "records searched", subject, by=wanted.kinds())
    statement = readable(model, staff)
    for condition in _conditions(work, model, wanted):
        statement = statement.where(condition)
    statement = _page(statement, model, wanted.cursor)
    rows = list(await work.session.scalars(statement))
    following = None
    if len(rows) > PAGE:
        rows = rows[:PAGE]
        following = _cursor(rows[-1].opened_at, rows[-1].id)
    if wanted.name:
        rows = await _exact_first(work, rows, wanted.name)
    return rows, following


def _conditions(work: Work, model: Any, wanted: Wanted) -> list[ColumnElement[bool]]:
    for text in vars(wanted).values():
        if isinstance(text, str) and ("\x00" in text or len(text) > 300):
            raise Invalid("Look for something shorter, in ordinary characters.")
    found: list[ColumnElement[bool]] = []
    if wanted.code:
        found.append(model.code == wanted.code.strip().upper())
    if wanted.category:
        found.append(model.category_codes.contains([wanted.category]))
    if wanted.place:
        found.append(model.place_path.contains([wanted.place]))
    if wanted.since:
        found.append(model.opened_at >= wanted.since)
    if wanted.until:
        found.append(model.opened_at < wanted.until)
    if wanted.counsellor:
        found.append(
            model.owner_id.in_(select(Staff.id).where(Staff.name == wanted.counsellor.strip()))
        )
    if wanted.status:
        found.append((Contact.state if model is Contact else Case.status) == wanted.status)
    if wanted.urgency and model is Contact:
        found.append(Contact.urgency == wanted.urgency)
    if wanted.headline:
        found.append(_in_headline(model, wanted.headline))
    if wanted.name:
        found += [_named(work, model, word) for word in _words(wanted.name)]
    if wanted.number:
        found.append(_numbered(work, model, wanted.number))
    return found


def _words(text: str) -> list[str]:
    words = normal_words(text)
    if not words:
        raise Invalid("Write the name in letters.")
    return words[:6]


def _in_headline(model: type[Contact] | type[Case], text: str) -> ColumnElement[bool]:
    words = normal_words(text)[:10]
    if not words:
        raise Invalid("Write words of the headline.")
    # The words are letters and digits only, so they mean nothing to the query's own grammar.
    query = " & ".join(f"{word}:*" for word in words)
    vector = func.to_tsvector(literal_column("'simple'::regconfig"), model.headline_words)
    return vector.op("@@")(func.to_tsquery(literal_column("'simple'::regconfig"), query))


def _subjects(keys: list[bytes]) -> Select[Any]:
    return select(MatchKey.subject_id).where(MatchKey.key.in_(keys))


def _named(work: Work, model: type[Contact] | type[Case], word: str) -> ColumnElement[bool]:
    keys = [work.keys.match_key("name", word), work.keys.match_key("sound", sound_of(word))]
    return model.id.in_(_subjects(keys))


def _numbered(work: Work, model: type[Contact] | type[Case], text: str) -> ColumnElement[bool]:
    keys = [key for _, key in keys_of(work, "number", text)]
    if not keys:
        raise Invalid("Write at least five digits of the number.")
    found: ColumnElement[bool] = model.id.in_(_subjects(keys))
    number = e164(text)
    if number is not None and model is Contact:
        caller = work.keys.match_key("caller", number)
        found = found | Contact.call_id.in_(select(Call.id).where(Call.caller_key == caller))
    return found


async def _exact_first(work: Work, rows: list[R], name: str) -> list[R]:
    """Those whose name is spelt like that before those that only sound like it."""
    keys = [work.keys.match_key("name", word) for word in _words(name)]
    counts = await work.session.execute(
        select(MatchKey.subject_id, func.count(func.distinct(MatchKey.key)))
        .where(MatchKey.subject_id.in_([row.id for row in rows]), MatchKey.key.in_(keys))
        .group_by(MatchKey.subject_id)
    )
    exact = {subject for subject, count in counts if count == len(set(keys))}
    return sorted(rows, key=lambda row: row.id not in exact)


def _page(statement: Select[Any], model: Any, cursor: str | None) -> Any:
    statement = statement.order_by(model.opened_at.desc(), model.id.desc()).limit(PAGE + 1)
    if cursor is not None:
        at, record_id = _read_cursor(cursor)
        statement = statement.where(
            tuple_(model.opened_at, model.id) < tuple_(literal(at), literal(record_id))
        )
    return statement


def _cursor(at: datetime, record_id: UUID) -> str:
    return base64.urlsafe_b64encode(f"{at.isoformat()} {record_id}".encode()).decode()


def _read_cursor(text: str) -> tuple[datetime, UUID]:
    try:
        at, _, record_id = base64.urlsafe_b64decode(text.encode()).decode().rpartition(" ")
        return datetime.fromisoformat(at), UUID(record_id)
    except (ValueError, binascii.Error):
        raise Invalid("The cursor is not one of ours; leave it out to begin anew.") from None
