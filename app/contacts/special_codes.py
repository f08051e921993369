"""The codes of special categories that the program goes by, once their reading is in the log."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.contacts.models import Filled
from app.contacts.registry import sheet_of
from app.contacts.sealed_answers import open_answer, open_categories, present
from app.definitions.answers import Answers
from app.errors import Refusal
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.log_values import FoundBy
from app.work import Work

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
            remember_reading(work, record.id)
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


def remember_reading(work: Work, record_id: UUID) -> None:
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
            found[path] = open_answer(work, record, path, sealed)
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
