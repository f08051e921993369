"""Answers that were written before their question was marked as special are sealed.

A mark in one version of a form holds for all of its versions (`app/definitions/special.py`), so
answers of earlier records stand in the open until they are sealed here. A record that is saved
seals its own; this job seals the others: records, what was overwritten in them, and the versions
that were completed. A mark that is gone opens nothing: what is sealed stays sealed.

Which answers are still to be sealed is read from the rows themselves, a few at a time, each batch
in a transaction of its own: it can be interrupted at any moment, and run twice.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import ColumnElement, String, and_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from app.contacts.checksums import add_checksums, checksums_of_version
from app.contacts.models import Case, CompletedVersion, Contact, EarlierAnswer, Filled
from app.contacts.registry import library_of, sheet_of
from app.contacts.sealed_answers import seal_answer, seal_answers
from app.country import following
from app.database.logs import Why, change_rows
from app.definitions.answers import Sheet
from app.jobs.transaction import transaction
from app.referrals.models import Referral
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import PROGRAM, Ground, Work

_RECORDS: dict[str, type[Any]] = {"contact": Contact, "case": Case, "referral": Referral}
# Rows of one transaction.
_AT_ONCE = 200
# What is only sealed has not changed: kept figures stay.
_QUIET = text("SELECT set_config('helpline.resealing', 'on', true)")


class Marked(NamedTuple):
    """The records of a kind that were written with the same definitions, and their questions whose
    answers are sealed, as `section.field`."""

    kind: str
    form: tuple[str, int]
    categories: tuple[str, int]
    places: tuple[str, int]
    questions: tuple[str, ...]

    @property
    def table(self) -> type[Any]:
        return _RECORDS[self.kind]

    def of_it(self) -> ColumnElement[bool]:
        """Return the condition that a record was written with these definitions."""
        table = self.table
        pairs = zip(("form", "categories", "places"), self[1:4], strict=True)
        return and_(
            *(
                condition
                for name, (code, version) in pairs
                for condition in (
                    getattr(table, name) == code,
                    getattr(table, f"{name}_version") == version,
                )
            )
        )

    def asked_in(self, answers: str) -> ColumnElement[bool]:
        """Return the condition that an answer to one of the questions is in a column of answers."""
        return self._one(f"EXISTS (SELECT FROM jsonb_object_keys({answers}) AS p WHERE %s)", "p")

    def asked_at(self, path: str) -> ColumnElement[bool]:
        """Return the condition that a column of paths names one of the questions."""
        return self._one("%s", path)

    def _one(self, around: str, path: str) -> ColumnElement[bool]:
        # The path of an entry, as of one of several children, has the entry in its middle.
        question = rf"regexp_replace({path}, '\.[a-z0-9]+\.', '.')"
        found = text(around % f"{question} = ANY(:questions)").bindparams(
            bindparam("questions", list(self.questions), ARRAY(String))
        )
        return cast(ColumnElement[bool], found)


# Seals the next rows of one kind. Returns how many, and the last one, or None at the end.
_Step = Callable[[Work, Marked, Any], Awaitable[tuple[int, Any]]]


async def seal_marked(ground: Ground, *, most: int | None = None) -> int:
    """Seal what is to be sealed, or `most` batches of it. Return how many answers that were."""
    await following.learn_now(ground)
    async with transaction(ground, PROGRAM, long=True) as work:
        found = await marked_records(work)
    total = batches = 0
    for marked in found:
        for step in steps_of(marked):
            after: Any = None
            while most is None or batches < most:
                async with transaction(ground, PROGRAM, long=True) as work:
                    done, after = await seal_some(work, marked, step, after)
                total += done
                batches += done > 0
                if after is None:
                    break
    return total


async def is_left(work: Work) -> bool:
    """Return whether an answer to a marked question stands in the open: a row was being changed."""
    for marked in await marked_records(work):
        for step in steps_of(marked):
            if await work.session.scalar(_WANTED[step](marked).limit(1)) is not None:
                return True
    return False


async def marked_records(work: Work) -> list[Marked]:
    """Return what records were written with, and which of its questions are special."""
    found = []
    library = library_of(work.ground)
    for kind, table in _RECORDS.items():
        columns = [
            getattr(table, f"{name}{end}")
            for name in ("form", "categories", "places")
            for end in ("", "_version")
        ]
        for row in await work.session.execute(select(*columns).distinct().order_by(*columns)):
            written = (row[0], row[1]), (row[2], row[3]), (row[4], row[5])
            try:
                sheet = library.sheet(*written)
            except KeyError:
                # From a newer version of the program: a worker of that version seals it.
                continue
            if questions := _questions_of(sheet):
                found.append(Marked(kind, *written, questions))
    return found


def _questions_of(sheet: Sheet) -> tuple[str, ...]:
    fields = {
        f"{section.code}.{field.code}": field
        for section in sheet.form.sections
        for field in section.fields
    }
    return tuple(
        sorted(path for path in sheet.special if path in fields and not fields[path].personal)
    )


def steps_of(marked: Marked) -> tuple[_Step, ...]:
    """Return what seals the answers in a kind of records, one kind of rows after the other."""
    # Only contacts are completed.
    return (_records, _earlier, _completed) if marked.table is Contact else (_records, _earlier)


async def seal_some(work: Work, marked: Marked, step: _Step, after: Any) -> tuple[int, Any]:
    """Seal the next answers, and write to the log which questions' they were."""
    await work.session.execute(_QUIET)
    done, after = await step(work, marked, after)
    if done:
        form, version = marked.form
        write_entry(
            work,
            AuditLog.MARKED_ANSWERS_SEALED,
            "definitions",
            form=f"{form} {version}",
            questions=list(marked.questions),
            number=done,
        )
    return done, after


# -- in records ------------------------------------------------------------------------------------


def _wanted_records(marked: Marked) -> Any:
    table = marked.table
    return (
        select(table)
        .where(marked.of_it(), marked.asked_in(f"{table.__tablename__}.answers"))
        .order_by(table.id)
    )


async def _records(work: Work, marked: Marked, after: UUID | None) -> tuple[int, UUID | None]:
    table = marked.table
    statement = _wanted_records(marked).limit(_AT_ONCE).with_for_update(skip_locked=True)
    if after is not None:
        statement = statement.where(table.id > after)
    done, last = 0, None
    for record in await work.session.scalars(statement.execution_options(populate_existing=True)):
        last = record.id
        sheet = sheet_of(work, record)
        open_ = {path: value for path, value in record.answers.items() if sheet.is_special(path)}
        record.sealed = {**record.sealed, **await seal_answers(work, record, open_)}
        record.answers = {path: v for path, v in record.answers.items() if path not in open_}
        done += len(open_)
    await work.session.flush()
    return done, last


# -- in logs ---------------------------------------------------------------------------------------


def _wanted_earlier(marked: Marked) -> Any:
    return (
        select(EarlierAnswer, marked.table)
        .join(marked.table, marked.table.id == EarlierAnswer.subject_id)
        .where(
            EarlierAnswer.subject_kind == marked.kind,
            marked.of_it(),
            text("earlier_answers.answer <> 'null'"),
            marked.asked_at("earlier_answers.path"),
        )
        .order_by(EarlierAnswer.id)
    )


async def _earlier(work: Work, marked: Marked, after: int | None) -> tuple[int, int | None]:
    statement = _wanted_earlier(marked).limit(_AT_ONCE)
    if after is not None:
        statement = statement.where(EarlierAnswer.id > after)
    done, last = 0, None
    for row, record in (await work.session.execute(statement)).all():
        last = row.id
        if not sheet_of(work, record).is_special(row.path):
            continue
        put: dict[str, Any] = {"answer": None}
        if record.erased_at is None:
            put["sealed"] = seal_answer(work, record, row.path, row.answer)
            kept = {"path": row.path, "sealed": put["sealed"]}
            await add_checksums(work, record, [kept])
            put |= kept
        done += await _change(work, record, "earlier_answers", {"id": row.id}, put)
    return done, last


def _wanted_completed(marked: Marked) -> Any:
    return (
        select(CompletedVersion, Contact)
        .join(Contact, Contact.id == CompletedVersion.contact_id)
        .where(marked.of_it(), marked.asked_in("completed_versions.answers"))
        .order_by(CompletedVersion.contact_id, CompletedVersion.number)
    )


async def _completed(
    work: Work, marked: Marked, after: tuple[UUID, int] | None
) -> tuple[int, tuple[UUID, int] | None]:
    statement = _wanted_completed(marked).limit(_AT_ONCE)
    if after is not None:
        contact_id, number = after
        statement = statement.where(
            (CompletedVersion.contact_id > contact_id)
            | (CompletedVersion.contact_id == contact_id) & (CompletedVersion.number > number)
        )
    done, last = 0, None
    for row, contact in (await work.session.execute(statement)).all():
        last = (row.contact_id, row.number)
        sheet = sheet_of(work, contact)
        open_ = {path: value for path, value in row.answers.items() if sheet.is_special(path)}
        put: dict[str, Any] = {
            "answers": {path: v for path, v in row.answers.items() if path not in open_}
        }
        if contact.erased_at is None:
            sealed = await seal_answers(work, contact, open_)
            put["sealed"] = {**row.sealed, **sealed}
            if row.words_sums is not None:
                # A version without checksums gets none.
                more = await checksums_of_version(work, contact, sealed, row.salt_sealed)
                put |= more | {"words_sums": {**row.words_sums, **more["words_sums"]}}
        sought = {"contact_id": row.contact_id, "number": row.number}
        if await _change(work, contact, "completed_versions", sought, put):
            done += len(open_)
    return done, last


async def _change(
    work: Work, record: Filled, log: str, sought: dict[str, Any], put: dict[str, Any]
) -> int:
    """Write to a row of a log. No more is kept of an erased record than before."""
    why = Why.RESEALING if record.erased_at is None else Why.ERASING
    return await change_rows(work.session, why, log, [(sought, put)])


_WANTED: dict[Any, Callable[[Marked], Any]] = {
    _records: _wanted_records,
    _earlier: _wanted_earlier,
    _completed: _wanted_completed,
}
