"""Finding records: only among what the reader may see, and never by opening what is sealed."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    false,
    func,
    intersect,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.calls.models import Call, Line
from app.contacts.models import Case, CaseMember, Contact, ContactReader, MatchKey
from app.contacts.saving import keys_of
from app.contacts.scopes import anybody, readable
from app.contacts.words import normal_words, sound_of
from app.database.quick import Question, Row
from app.errors import Invalid
from app.privacy.numbers import e164_in
from app.staff.audit import write_reading
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

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


# What a list shows, under the names of the JSON interface; the answers are not read.
_NOT_LISTED = frozenset({"answers", "sealed", "versions", "headline_words", "place_path"})
# Words of a name, and of a headline, that are looked at.
_WORDS = 6


async def search(
    work: Work, staff: Staff, model: type[Contact] | type[Case], wanted: Wanted
) -> tuple[list[Row], str | None]:
    """A page of records, newest first, and the cursor of the next. Raises Invalid.

    The rows have what lists show: no answers. A list is a reading: one row of the log says which
    records were on it and by what was looked, not what for.
    """
    countries: list[str] = []
    if wanted.number:
        countries = list(await work.session.scalars(select(Line.country).distinct()))
    values = _values(work, wanted, countries)
    question = _question(model, staff.role, tuple(sorted(values)))
    rows = await work.ground.database.quick.rows(
        question, reader=staff.id, team=staff.team, **values
    )
    following = None
    if len(rows) > PAGE:
        rows = rows[:PAGE]
        following = _cursor(rows[-1]["opened_at"], rows[-1]["id"])
    if wanted.name:
        # Those whose name is spelt like that before those that only sound like it.
        rows.sort(key=lambda row: not row.pop("exact"))
    if rows or wanted.kinds():
        await write_reading(
            work, "records searched" if wanted.kinds() else "records listed",
            f"{model.__name__.lower()}s", by=wanted.kinds(), ids=[str(row["id"]) for row in rows],
        )  # fmt: skip
    return rows, following


def _values(work: Work, wanted: Wanted, countries: list[str]) -> dict[str, Any]:
    """The parameters of the statement; which there are decides what it asks."""
    for text in vars(wanted).values():
        if isinstance(text, str) and ("\x00" in text or len(text) > 300):
            raise Invalid("Look for something shorter, in ordinary characters.")
    found: dict[str, Any] = {}
    for key in ("since", "until", "status", "urgency"):
        if getattr(wanted, key):
            found[key] = getattr(wanted, key)
    if wanted.category:
        found["category"] = [wanted.category]
    if wanted.place:
        found["place"] = [wanted.place]
    if wanted.code:
        found["code"] = wanted.code.strip().upper()
    if wanted.counsellor:
        found["counsellor"] = wanted.counsellor.strip()
    if wanted.headline:
        words = normal_words(wanted.headline)[: 2 * _WORDS]
        if not words:
            raise Invalid("Write words of the headline.")
        # Letters and digits only, so they mean nothing to the query's own grammar.
        found["headline"] = " & ".join(f"{word}:*" for word in words)
    if wanted.name:
        found |= _name_values(work, wanted.name)
    if wanted.number:
        keys = [key for _, key in keys_of(work, "number", wanted.number)]
        if not keys:
            raise Invalid("Write at least five digits of the number.")
        found["numbers"] = keys
        found["callers"] = [
            work.keys.match_key("caller", number) for number in e164_in(wanted.number, countries)
        ]
    if wanted.cursor:
        found["cursor_at"], found["cursor_id"] = _read_cursor(wanted.cursor)
    return found


def _name_values(work: Work, name: str) -> dict[str, Any]:
    words = normal_words(name)[:_WORDS]
    if not words:
        raise Invalid("Write the name in letters.")
    found: dict[str, Any] = {}
    # What is spelt alike sounds alike, so the sounds find both.
    for number, word in enumerate(words):
        found[f"sound_{number}"] = work.keys.match_key("sound", sound_of(word))
        found[f"exact_{number}"] = work.keys.match_key("name", word)
    return found


@lru_cache(maxsize=500)
def _question(model: Any, role: str, asked: tuple[str, ...]) -> Question:
    """The statement for what is asked; there are few kinds, and each is compiled once."""
    columns = [
        column.label("categories") if column.key == "category_codes" else column
        for column in model.__table__.columns
        if column.key not in _NOT_LISTED
    ]
    statement = _of_reader(model, role, columns)
    sounds = [name for name in asked if name.startswith("sound_")]
    if sounds:
        # First who is named like that, by the index alone; then the rest is asked of those.
        named = (
            intersect(*(_with_key(model, name) for name in sounds))
            if sounds[1:]
            else (_with_key(model, sounds[0]))
        )
        first = named.cte("named").prefix_with("MATERIALIZED")
        statement = statement.where(model.id.in_(select(first.c.subject_id)))
        exact = [name.replace("sound", "exact") for name in sounds]
        statement = statement.add_columns(
            and_(*(model.id.in_(_with_key(model, name)) for name in exact)).label("exact")
        )
    for name in asked:
        for condition in _condition(model, name):
            statement = statement.where(condition)
    return Question(statement.limit(PAGE + 1))


def _of_reader(model: Any, role: str, columns: list[Any]) -> Select[Any]:
    """The records that somebody of the role reads, newest first.

    For who reads only single ones the list of those leads, in its order: among a hundred
    thousand records their newest fifty are found without looking at the others.
    """
    if not may(role, Permission.READ_RECORDS):
        return select(*columns).where(false())
    if may(role, Permission.READ_TEAM_RECORDS):
        statement = readable(model, anybody(role)).with_only_columns(*columns)
        return statement.order_by(model.opened_at.desc(), model.id.desc())
    lent: Any = ContactReader if model is Contact else CaseMember
    record_id = lent.contact_id if model is Contact else lent.case_id
    return (
        select(*columns)
        .join(lent, record_id == model.id)
        .where(lent.staff_id == anybody(role).id)
        .order_by(lent.opened_at.desc(), record_id.desc())
    )


def _with_key(model: Any, name: str) -> Select[Any]:
    return select(MatchKey.subject_id).where(
        MatchKey.key == bindparam(name, type_=LargeBinary()),
        MatchKey.subject_kind == literal_column(f"'{model.__name__.lower()}'"),
    )


def _when(model: Any) -> Any:
    # From paper after an outage: the day of the talk counts, not that of the writing.
    return Contact.taken_at if model is Contact else Case.opened_at


def _condition(model: Any, name: str) -> list[ColumnElement[bool]]:
    match name:
        case "code":
            return [model.code == bindparam("code")]
        case "category":
            return [model.category_codes.contains(bindparam(name, type_=ARRAY(Text())))]
        case "place":
            return [model.place_path.contains(bindparam(name, type_=ARRAY(Text())))]
        case "since":
            return [_when(model) >= bindparam("since", type_=model.opened_at.type)]
        case "until":
            return [_when(model) < bindparam("until", type_=model.opened_at.type)]
        case "counsellor":
            owner = select(Staff.id).where(Staff.name == bindparam("counsellor"))
            return [model.owner_id.in_(owner)]
        case "status":
            return [(Contact.state if model is Contact else Case.status) == bindparam("status")]
        case "urgency":
            return [Contact.urgency == bindparam("urgency")] if model is Contact else []
        case "headline":
            simple: Any = literal_column("'simple'::regconfig")
            query = func.to_tsquery(simple, bindparam("headline", type_=Text()))
            return [func.to_tsvector(simple, model.headline_words).op("@@")(query)]
        case "numbers":
            written = model.id.in_(
                select(MatchKey.subject_id).where(
                    MatchKey.key == any_(bindparam("numbers", type_=ARRAY(LargeBinary())))
                )
            )
            callers = bindparam("callers", type_=ARRAY(LargeBinary()))
            rang = select(Call.id).where(Call.caller_key == any_(callers))
            return [written | Contact.call_id.in_(rang) if model is Contact else written]
        case "cursor_at":
            before = tuple_(
                bindparam("cursor_at", type_=model.opened_at.type),
                bindparam("cursor_id", type_=model.id.type),
            )
            return [tuple_(model.opened_at, model.id) < before]
        case _:
            return []


def _cursor(at: datetime, record_id: UUID) -> str:
    return base64.urlsafe_b64encode(f"{at.isoformat()} {record_id}".encode()).decode()


def _read_cursor(text: str) -> tuple[datetime, UUID]:
    try:
        at, _, record_id = base64.urlsafe_b64decode(text.encode()).decode().rpartition(" ")
        return datetime.fromisoformat(at), UUID(record_id)
    except (ValueError, binascii.Error):
        raise Invalid("The cursor is not one of ours; leave it out to begin anew.") from None
