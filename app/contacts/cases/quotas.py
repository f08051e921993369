"""How many documents a person may add in a day, and how many a case may hold.

A refusal is about files alone: answers, notes and everything else of a case are written as before.
"""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Text, cast, func, select

from app.contacts.cases.models import CaseDocument
from app.contacts.registry import library_of
from app.errors import Message, Refusal
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.work import Work

_MEGABYTE = 1024 * 1024
# With the number of a person: one at a time adds to what they added today.
_LOCK = 116_134
# What the log calls the limits; how long, and how many, administrators see of it.
_SUBJECT, _SHOWN, _MOST_SHOWN = "document_limits", timedelta(days=30), 50


class DayIsFull(Refusal):
    status = 429
    default = "No more documents can be added today."


class CaseIsFull(Refusal):
    status = 409
    default = "The case can hold no more documents."


async def check_quotas(work: Work, staff: Staff, case_id: UUID, size: int) -> None:
    """Check that a document of `size` bytes fits into the day of a person, and into the case.

    Exact once the case is locked. What was removed counts for the day and no more for the case.
    The log is told once a day of each limit that a person reached. Raises DayIsFull, CaseIsFull.
    """
    lock = func.pg_advisory_xact_lock(_LOCK, func.hashtext(str(staff.id)))
    await work.session.execute(select(lock))
    limits = work.settings
    files, bytes_ = await _held(
        work, CaseDocument.staff_id == staff.id, CaseDocument.at >= _day_begins(work)
    )
    if files >= limits.documents_per_day:
        await _tell(work, staff, case_id, "documents_per_day", limits.documents_per_day)
        raise DayIsFull(_day_of_files(limits.documents_per_day))
    if bytes_ + size > limits.document_megabytes_per_day * _MEGABYTE:
        most = limits.document_megabytes_per_day
        await _tell(work, staff, case_id, "document_megabytes_per_day", most)
        raise DayIsFull(_day_of_bytes(most))
    files, bytes_ = await _held(
        work, CaseDocument.case_id == case_id, CaseDocument.removed_at.is_(None)
    )
    if files >= limits.documents_per_case:
        await _tell(work, staff, case_id, "documents_per_case", limits.documents_per_case)
        raise CaseIsFull(_case_of_files(limits.documents_per_case))
    if bytes_ + size > limits.document_megabytes_per_case * _MEGABYTE:
        most = limits.document_megabytes_per_case
        await _tell(work, staff, case_id, "document_megabytes_per_case", most)
        raise CaseIsFull(_case_of_bytes(most))


async def _held(work: Work, *which: object) -> tuple[int, int]:
    """Return how many documents there are, and their bytes."""
    statement = select(func.count(), func.coalesce(func.sum(CaseDocument.size), 0)).where(*which)  # type: ignore[arg-type]
    files, bytes_ = (await work.session.execute(statement)).one()
    return int(files), int(bytes_)


def _day_begins(work: Work) -> datetime:
    """Return when today began where the helpline is."""
    zone = ZoneInfo(library_of(work.ground).country.timezone)
    return work.now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


async def _tell(work: Work, staff: Staff, case_id: UUID, limit: str, most: int) -> None:
    told = await work.session.scalar(
        select(AuditEntry.id)
        .where(
            AuditEntry.subject == _SUBJECT,
            AuditEntry.actor == str(staff.id),
            AuditEntry.at >= _day_begins(work),
            AuditEntry.detail["limit"].astext == limit,
        )
        .limit(1)
    )
    if told is None:
        await write_reading(
            work,
            AuditLog.DOCUMENT_LIMIT_REACHED,
            _SUBJECT,
            limit=limit,
            most=most,
            case=str(case_id),
        )


class Reached(NamedTuple):
    """A limit that a person reached; not in which case."""

    at: datetime
    name: str
    limit: str
    most: int


async def limits_reached(work: Work) -> list[Reached]:
    """Return who reached which limit in the last weeks, newest first."""
    rows = await work.session.execute(
        select(AuditEntry.at, Staff.name, AuditEntry.detail)
        .join(Staff, cast(Staff.id, Text) == AuditEntry.actor)
        .where(AuditEntry.subject == _SUBJECT, AuditEntry.at > work.now - _SHOWN)
        .order_by(AuditEntry.id.desc())
        .limit(_MOST_SHOWN)
    )
    return [Reached(at, name, str(said["limit"]), int(said["most"])) for at, name, said in rows]


def _day_of_files(most: int) -> Message:
    return Message(
        "You have added %(most)s documents today, and no more can be added. Write what is urgent "
        "as a note or in the form. Add the file tomorrow, or ask a colleague who works on the case "
        "to add it. An administrator sees this in the log, and the operator can raise the limit.",
        most=most,
    )


def _day_of_bytes(most: int) -> Message:
    return Message(
        "With this file you would have added more than %(most)s MB today. Write what is urgent as "
        "a note or in the form. Add a smaller file, add this one tomorrow, or ask a colleague who "
        "works on the case to add it. An administrator sees this in the log, and the operator can "
        "raise the limit.",
        most=most,
    )


def _case_of_files(most: int) -> Message:
    return Message(
        "This case holds %(most)s documents, and no more can be added. Write what is urgent as a "
        "note or in the form. Remove a document that does not belong here, or ask an "
        "administrator, who sees this in the log: the operator can raise the limit.",
        most=most,
    )


def _case_of_bytes(most: int) -> Message:
    return Message(
        "With this file the documents of this case would have more than %(most)s MB. Write what is "
        "urgent as a note or in the form. Add a smaller file, remove one that does not belong "
        "here, or ask an administrator, who sees this in the log: the operator can raise the "
        "limit.",
        most=most,
    )
