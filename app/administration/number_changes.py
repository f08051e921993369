"""Changes of the numbers of lines and of their accounts at carriers, which a second person can
take back for some days.

They are in force at once, because a number that waits would leave children without a line: see
`docs/developers/decisions.md`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, String, cast, select

from app.administration import line_changes
from app.calls.lines.leading import BACK_WITHIN
from app.calls.lines.line_rows import Line
from app.errors import Conflict, NotFound
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.work import Work

_KINDS = (
    AuditLog.LINE_NUMBERS_SET,
    AuditLog.LINE_FACTS_SET,
    AuditLog.LINE_ACCOUNT_SET,
    AuditLog.LINE_ACCOUNT_REMOVED,
)


class TooLate(Conflict):
    default = "This was changed too long ago. Let an administrator take it back."


class NumberChange(NamedTuple):
    """A change of a line that can be taken back here until an instant."""

    line_id: UUID
    line: str
    change: line_changes.LineChange
    until: datetime


async def to_take_back(work: Work, reader: Staff | None) -> list[NumberChange]:
    """Return the changes that a reader can take back now, the newest first: not their own.

    Without a reader: the command line.
    """
    lines = select(cast(Line.id, String)).where(Line.active)
    recent = _entries().where(
        AuditEntry.subject.in_(lines), AuditEntry.at >= work.now - BACK_WITHIN
    )
    by_line: dict[str, list[AuditEntry]] = {}
    for entry in await work.session.scalars(recent.order_by(AuditEntry.id.desc())):
        if _is_of_number(entry.detail) and (reader is None or entry.actor != str(reader.id)):
            by_line.setdefault(entry.subject, []).append(entry)
    found = []
    for subject, entries in by_line.items():
        line_id = UUID(subject)
        name = await work.session.scalar(select(Line.name).where(Line.id == line_id))
        found += [
            NumberChange(line_id, name or "", one, one.at + BACK_WITHIN)
            for one in await line_changes.described(work, line_id, entries)
            if one.can_be_taken_back
        ]
    return sorted(found, key=lambda one: one.change.id, reverse=True)


async def take_back(work: Work, change_id: int) -> None:
    """Put in force again what was before a change of numbers or of an account.

    Raises NotFound, TooLate, and what `line_changes.take_back` raises.
    """
    entry = await work.session.scalar(_entries().where(AuditEntry.id == change_id))
    if entry is None or not _is_of_number(entry.detail):
        raise NotFound("There is no such change of this line.")
    if entry.at < work.now - BACK_WITHIN:
        raise TooLate()
    await line_changes.take_back(work, UUID(entry.subject), change_id)


def _entries() -> Select[AuditEntry]:
    return select(AuditEntry).where(AuditEntry.action.in_([one.value for one in _KINDS]))


def _is_of_number(detail: Mapping[str, Any]) -> bool:
    """Return whether an entry is about a number or an account: facts of a line are others, too."""
    after = detail.get("after") or detail.get("before") or {}
    return not after.keys().isdisjoint(("number", "numbers", "shown_number", "account"))
