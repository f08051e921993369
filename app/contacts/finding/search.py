"""Finding records: only among those that the reader may read, and without unsealing a text.

Categories are sealed, since some tell of health or violence: the lists open them, and a search by
category looks through the reader's own records, the newest first. No index tells which records
have the same category.
"""

import base64
import binascii
import functools
import operator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    Text,
    any_,
    bindparam,
    cast,
    column,
    false,
    func,
    intersect,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, BIT
from sqlalchemy.orm import InstrumentedAttribute

from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.contacts.cases.models import CaseMember
from app.contacts.finding.words import normal_words, sound_of
from app.contacts.models import Case, Contact, ContactReader, MatchKey
from app.contacts.saving import born_keys, number_keys
from app.contacts.scopes import any_reader, readable
from app.contacts.sealed_answers import open_lists
from app.database.quick import Question, Row
from app.errors import Invalid
from app.privacy.hash_kinds import HashOf
from app.privacy.numbers import e164_in
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.log_values import FoundBy
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

PAGE = 50


@dataclass(frozen=True)
class ContactsWanted:
    """What to search for; nothing set means everything. Times are half-open."""

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
    # The year of birth of a child.
    born: int | None = None
    cursor: str | None = None

    def kinds(self) -> list[FoundBy]:
        """Return the criteria without their values, for the log."""
        given = [key for key, value in vars(self).items() if value is not None]
        return [FoundBy(key) for key in given if key != "cursor"]


# The columns of a list; to read all of them takes a third longer.
_LISTED: dict[type[Contact] | type[Case], tuple[InstrumentedAttribute[Any], ...]] = {
    Contact: (
        *(Contact.id, Contact.code, Contact.call_id, Contact.profile_id, Contact.owner_id),
        *(Contact.state, Contact.closed_as, Contact.kind, Contact.channel, Contact.source),
        *(Contact.headline, Contact.place),
        *(Contact.urgency, Contact.taken_at, Contact.opened_at, Contact.completed_at),
        *(Contact.revision, Contact.categories_sealed),
    ),
    Case: (
        *(Case.id, Case.code, Case.owner_id, Case.status, Case.headline, Case.place),
        *(Case.risk, Case.separation_risk, Case.separation_outcome, Case.opened_at),
        *(Case.closed_at, Case.revision, Case.categories_sealed),
    ),
}
# Records that a search by category opens at once, and the most that it looks through for one page.
_OPENED_AT_ONCE, _LOOKED_THROUGH = 1_000, 20_000
# The most words of a name that are searched; for a headline, twice as many.
_WORDS = 6
# If there are this many words or fewer, each has to match.
_ALL_NEEDED = 2
# A word with the same spelling counts more than all words with the same sound.
_RANK = 100


async def search(
    work: Work, staff: Staff, model: type[Contact] | type[Case], wanted: ContactsWanted
) -> tuple[list[Row], str | None]:
    """Return a page of records, newest first, and the cursor of the next. Raises Invalid.

    A search by name ranks all matches: first the same spelling, then the same sound. The words may
    come in any order, and one of three or more may differ.

    The rows have what lists show: no answers. A list is a reading: one row of the log says which
    records were on it and by which criteria, without their values.
    """
    countries: list[str] = []
    if wanted.number:
        countries = list(await work.session.scalars(select(Line.country).distinct()))
    values = _values(work, wanted, countries)
    if wanted.category:
        rows, following = await _with_category(work, staff, model, values, wanted.category)
    else:
        most = PAGE + 1
        rows = await _rows(work, staff, model, values, most)
        following = None
        if len(rows) == most:
            rows = rows[:PAGE]
            following = _cursor_after(rows[-1])
    for row in rows:
        row.pop("spelt", None)
        row.pop("heard", None)
    if rows or wanted.kinds():
        await write_reading(
            work,
            AuditLog.RECORDS_SEARCHED if wanted.kinds() else AuditLog.RECORDS_LISTED,
            f"{model.__name__.lower()}s",
            by=wanted.kinds(),
            ids=[row["id"] for row in rows],
        )
    for row, codes in zip(rows, _categories_of(work, model, rows), strict=True):
        row["categories"] = codes
        del row["categories_sealed"]
    return rows, following


def _categories_of(
    work: Work, model: type[Contact] | type[Case], rows: list[Row]
) -> list[list[str]]:
    sealed = [(row["id"], row["categories_sealed"]) for row in rows]
    return open_lists(work, model.__tablename__, sealed)


async def _rows(
    work: Work, staff: Staff, model: Any, values: dict[str, Any], most: int
) -> list[Row]:
    question = _question(model, staff.role, tuple(sorted(values)), most)
    return await work.ground.database.quick.rows(
        question, reader=staff.id, team=staff.team, **values
    )


async def _with_category(
    work: Work, staff: Staff, model: Any, values: dict[str, Any], category: str
) -> tuple[list[Row], str | None]:
    """Return a page of the reader's records with a category, or with one below it.

    The log says first that they are looked through. A page may have fewer records than others: the
    cursor then leads to the next records that were not looked at.
    """
    await write_reading(
        work, AuditLog.CODES_READ, f"{model.__tablename__}:to find", by=[FoundBy.CATEGORY]
    )
    values, found, seen, last = dict(values), list[Row](), 0, None
    while len(found) <= PAGE and seen < _LOOKED_THROUGH:
        rows = await _rows(work, staff, model, values, _OPENED_AT_ONCE)
        codes_of = zip(rows, _categories_of(work, model, rows), strict=True)
        found += [row for row, codes in codes_of if category in codes]
        seen += len(rows)
        if len(rows) < _OPENED_AT_ONCE:
            break
        last = rows[-1]
        values |= _after(last, named="name_keys" in values or "same_0" in values)
    else:
        if len(found) <= PAGE and last is not None:
            return found, _cursor_after(last)
    if len(found) > PAGE:
        return found[:PAGE], _cursor_after(found[PAGE - 1])
    return found, None


def _rank(row: Row) -> int:
    return int(row.get("spelt", 0) * _RANK + row.get("heard", 0))


def _cursor_after(row: Row) -> str:
    return _cursor(_rank(row), row["opened_at"], row["id"])


def _after(row: Row, *, named: bool) -> dict[str, Any]:
    """Return the parameters with which a statement goes on after a row."""
    found = {"cursor_at": row["opened_at"], "cursor_id": row["id"]}
    return found | ({"cursor_rank": _rank(row)} if named else {})


def _values(work: Work, wanted: ContactsWanted, countries: list[str]) -> dict[str, Any]:
    """Return the parameters of the statement; their names decide its conditions."""
    for text in vars(wanted).values():
        if isinstance(text, str) and ("\x00" in text or len(text) > 300):
            raise Invalid("Search for something shorter, in ordinary characters.")
    found: dict[str, Any] = {}
    for key in ("since", "until", "status", "urgency"):
        if getattr(wanted, key):
            found[key] = getattr(wanted, key)
    if wanted.place:
        found["place"] = [wanted.place]
    if wanted.code:
        found["code"] = wanted.code.strip().upper()
    if wanted.counsellor:
        found["counsellor"] = wanted.counsellor.strip()
    if wanted.headline:
        words = normal_words(wanted.headline)[: 2 * _WORDS]
        if not words:
            raise Invalid("Write one or more words of the headline.")
        # Letters and digits only, so they mean nothing to the query's own grammar.
        found["headline"] = " & ".join(f"{word}:*" for word in words)
    if wanted.name:
        found |= _name_values(work, wanted.name)
    if wanted.born is not None:
        found["born"] = born_keys(work, wanted.born)
    if wanted.number:
        keys = number_keys(work, wanted.number)
        if not keys:
            raise Invalid("Write at least five digits of the number.")
        found["numbers"] = keys
        found["callers"] = [
            key
            for number in e164_in(wanted.number, countries)
            for key in work.keys.match_keys(HashOf.CALLER, number)
        ]
    if wanted.cursor:
        rank, found["cursor_at"], found["cursor_id"] = _read_cursor(wanted.cursor)
        if wanted.name:
            found["cursor_rank"] = rank
    return found


def _name_values(work: Work, name: str) -> dict[str, Any]:
    words = normal_words(name)[:_WORDS]
    if not words:
        raise Invalid("Write the name in letters.")
    texts = [(HashOf.NAME, word) for word in words]
    texts += [(HashOf.HEARD, sound_of(word)) for word in words]
    hashes = work.keys.match_keys_all(texts)
    spelt, heard = hashes[: len(words)], hashes[len(words) :]
    few = len(words) <= _ALL_NEEDED
    if few and not work.keys.rotates_hashes:
        return {f"same_{n}": key for n, (key,) in enumerate(spelt)} | {
            f"alike_{n}": key for n, (key,) in enumerate(heard)
        }
    # Each word is a bit, so that the words of all keys of a record are joined without a sort.
    same = [(key, 1 << n) for n, keys in enumerate(spelt) for key in keys]
    alike = [(key, 1 << n) for n, keys in enumerate(heard) for key in keys]
    return {
        "name_keys": [key for key, _ in (*same, *alike)],
        "name_heard": [bit for _, bit in (*same, *alike)],
        "name_spelt": [*(bit for _, bit in same), *([0] * len(alike))],
        # One word of three or four may be another, two of five or six.
        "name_needed": len(words) if few else len(words) - (len(words) - 1) // 2,
    }


@functools.lru_cache(maxsize=500)
def _question(model: Any, role: str, asked: tuple[str, ...], most: int) -> Question:
    """Return the statement for some criteria; there are few kinds, and each is compiled once."""
    statement = _of_reader(model, role, list(_LISTED[model]))
    few = sum(name.startswith("alike_") for name in asked)
    if few or "name_keys" in asked:
        named = _named_by_few(model, few) if few else _named(model)
        statement = statement.join(named, named.c.subject_id == model.id).add_columns(
            named.c.spelt, named.c.heard
        )
        rank = named.c.spelt * _RANK + named.c.heard
        statement = statement.order_by(None).order_by(
            rank.desc(), model.opened_at.desc(), model.id.desc()
        )
        if "cursor_rank" in asked:
            before = tuple_(
                bindparam("cursor_rank", type_=Integer()),
                bindparam("cursor_at", type_=model.opened_at.type),
                bindparam("cursor_id", type_=model.id.type),
            )
            statement = statement.where(tuple_(rank, model.opened_at, model.id) < before)
            asked = tuple(name for name in asked if not name.startswith("cursor_"))
    for name in asked:
        for condition in _condition(model, name):
            statement = statement.where(condition)
    return Question(statement.limit(literal_column(str(most), Integer())))


def _named_by_few(model: Any, words: int) -> CTE:
    """Select the records in which every word sounds alike: what the index finds of all of them."""

    def with_key(name: str) -> Select[Any]:
        return select(MatchKey.subject_id).where(
            MatchKey.key == bindparam(name, type_=LargeBinary()),
            MatchKey.subject_kind == literal_column(f"'{model.__name__.lower()}'"),
        )

    # Even one word may be in several names of a record: an intersection has no duplicates.
    first, *others = (with_key(f"alike_{n}") for n in range(words))
    heard = intersect(first, *(others or [first])).subquery()
    same = [cast(heard.c.subject_id.in_(with_key(f"same_{n}")), Integer) for n in range(words)]
    return (
        select(
            heard.c.subject_id,
            literal_column(str(words), Integer()).label("heard"),
            functools.reduce(operator.add, same).label("spelt"),
        )
        .cte("named")
        .prefix_with("MATERIALIZED")
    )


def _named(model: Any) -> CTE:
    """Select the records in which enough of many words match, by the index alone."""
    wanted = (
        func.unnest(
            bindparam("name_keys", type_=ARRAY(LargeBinary())),
            bindparam("name_heard", type_=ARRAY(Integer())),
            bindparam("name_spelt", type_=ARRAY(Integer())),
        )
        .table_valued(
            column("key", LargeBinary()), column("heard", Integer()), column("spelt", Integer())
        )
        .render_derived(name="wanted_keys")
    )
    # The limit takes nothing away: it lets PostgreSQL expect few keys without their values, so
    # that the plan is kept, and not made again by each search, which costs as much as the search.
    count = func.cardinality(bindparam("name_keys", type_=ARRAY(LargeBinary())))
    keys = select(wanted).limit(count).subquery()

    def words_in(bits: Any) -> Any:
        return func.bit_count(cast(func.bit_or(bits), BIT(_WORDS + 2))).cast(Integer)

    heard = words_in(keys.c.heard)
    return (
        select(
            MatchKey.subject_id,
            heard.label("heard"),
            words_in(keys.c.spelt).label("spelt"),
        )
        .select_from(keys.join(MatchKey, MatchKey.key == keys.c.key))
        .where(MatchKey.subject_kind == literal_column(f"'{model.__name__.lower()}'"))
        .group_by(MatchKey.subject_id)
        .having(heard >= bindparam("name_needed", type_=Integer()))
        .cte("named")
        .prefix_with("MATERIALIZED")
    )


def _of_reader(model: Any, role: str, columns: list[Any]) -> Select[Any]:
    """Select the records that a reader of the role may read, newest first.

    For a reader of single records the list of those leads, in its order: among a hundred
    thousand records their newest fifty are found without looking at the others.
    """
    if not may(role, Permission.READ_RECORDS):
        return select(*columns).where(false())
    if may(role, Permission.READ_TEAM_RECORDS):
        statement = readable(model, any_reader(role)).with_only_columns(*columns)
        return statement.order_by(model.opened_at.desc(), model.id.desc())
    lent: Any = ContactReader if model is Contact else CaseMember
    record_id = lent.contact_id if model is Contact else lent.case_id
    return (
        select(*columns)
        .join(lent, record_id == model.id)
        .where(lent.staff_id == any_reader(role).id)
        .order_by(lent.opened_at.desc(), record_id.desc())
    )


def _when(model: Any) -> Any:
    # For paper after an outage the day of the contact counts, not the day it was entered.
    return Contact.taken_at if model is Contact else Case.opened_at


def _condition(model: Any, name: str) -> list[ColumnElement[bool]]:
    match name:
        case "code":
            return [model.code == bindparam("code")]
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
        case "born":
            key = MatchKey.key == any_(bindparam("born", type_=ARRAY(LargeBinary())))
            return [model.id.in_(select(MatchKey.subject_id).where(key))]
        case "cursor_at":
            before = tuple_(
                bindparam("cursor_at", type_=model.opened_at.type),
                bindparam("cursor_id", type_=model.id.type),
            )
            return [tuple_(model.opened_at, model.id) < before]
        case _:
            return []


def _cursor(rank: int, at: datetime, record_id: UUID) -> str:
    return base64.urlsafe_b64encode(f"{rank} {at.isoformat()} {record_id}".encode()).decode()


def _read_cursor(text: str) -> tuple[int, datetime, UUID]:
    try:
        rank, at, record_id = base64.urlsafe_b64decode(text.encode()).decode().split(" ")
        return int(rank), datetime.fromisoformat(at), UUID(record_id)
    except (ValueError, binascii.Error):
        raise Invalid("The cursor is not valid. Leave it out to start again.") from None
