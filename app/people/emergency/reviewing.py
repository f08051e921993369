"""What a person sees of emergency accesses, and the review of one that is over.

An access stands open until another person has reviewed it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.contacts.models import Case, Contact
from app.database.topics import Topic
from app.errors import Conflict
from app.people.emergency.emergencies import (
    GROUND,
    REVIEW,
    NoEmergency,
    OtherPerson,
    checked,
    locked,
    may_confirm,
    note,
    opened,
)
from app.people.traces.acts import all_acts_under
from app.staff import accounts
from app.staff.emergency_rows import (
    LIVE,
    Emergency,
    EmergencyKind,
    EmergencySeen,
    EmergencyState,
    SubjectKind,
)
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.staff.roles import Permission, may
from app.work import Work

_MOST_ACTS = 500


class ActOutcome(StrEnum):
    """What became of an act when the access ended."""

    UNDONE = "undone"
    # It was to be undone, and could not be.
    LEFT = "left"
    # It is not among those that are undone.
    STAYS = "stays"
    # The access ended before the program noted what was undone.
    UNKNOWN = "unknown"


class ActUnder(NamedTuple):
    """An act: when, its code, and what became of it; None until that is known."""

    at: datetime
    action: str
    outcome: ActOutcome | None


@dataclass(frozen=True)
class ShownEmergency:
    """An emergency access as a page shows it."""

    row: Emergency
    asked_by: str
    decided_by: str
    reviewed_by: str
    ground: str
    review: str
    # The code of the record.
    code: str
    # Whether the reader has not seen it in this state yet.
    is_new: bool
    # What was done under it, for who reviews it.
    acts: list[ActUnder]
    # Whether the reader may confirm it now.
    may_confirm: bool


def may_review(row: Emergency, staff: Staff) -> bool:
    """Return whether a person may write the review: an auditor or administrator who had no part."""
    return (
        may(staff.role, Permission.REVIEW_EMERGENCIES)
        and not staff.emergency
        and staff.id not in (row.asked_by, row.decided_by)
    )


async def review(
    work: Work, staff: Staff, emergency_id: UUID, *, fitting: bool, words: str
) -> None:
    """Write whether an emergency access that is over was right. Raises NoEmergency, OtherPerson,
    Invalid, Conflict."""
    row = await locked(work, emergency_id, EmergencyState.ENDED)
    if not may_review(row, staff):
        raise OtherPerson()
    if row.reviewed_at is not None:
        raise Conflict("It was reviewed already.")
    words = checked(words, "Write what you have found, in at most %(number)s characters.")
    row.reviewed_at, row.reviewed_by, row.fitting = work.now, staff.id, fitting
    row.review_sealed = work.keys.seal(words.encode(), row=row.id, **REVIEW)
    await work.session.flush()
    note(work, AuditLog.EMERGENCY_REVIEWED, row, before=row.state, fitting=fitting)
    work.announce(Topic.EMERGENCIES)


async def seen(work: Work, staff: Staff, emergency_id: UUID) -> None:
    """Note that a person has seen the alarm: it sounds no more on their pages. Raises
    NoEmergency."""
    row = await work.session.get(Emergency, emergency_id)
    if row is None:
        raise NoEmergency()
    await work.session.execute(
        insert(EmergencySeen)
        .values(emergency_id=row.id, staff_id=staff.id, state=row.state)
        .on_conflict_do_nothing()
    )


async def shown_to(work: Work, staff: Staff, *, alarms: bool = False) -> list[ShownEmergency]:
    """Return what a person sees: all for those who are alarmed, else what they asked for.

    `alarms`: only what is asked for, open, or has no review yet.
    """
    statement = select(Emergency).order_by(Emergency.asked_at.desc()).limit(100)
    if not may(staff.role, Permission.SEE_EMERGENCIES):
        statement = statement.where(Emergency.asked_by == staff.id)
    if alarms:
        statement = statement.where(
            Emergency.state.in_(LIVE)
            | ((Emergency.state == EmergencyState.ENDED) & Emergency.reviewed_at.is_(None))
        )
    rows = list(await work.session.scalars(statement))
    people = {one for row in rows for one in (row.asked_by, row.decided_by, row.reviewed_by) if one}
    names = await accounts.names_of(work, people)
    marks = await work.session.execute(
        select(EmergencySeen.emergency_id, EmergencySeen.state).where(
            EmergencySeen.staff_id == staff.id
        )
    )
    seen_ones = {(one, state) for one, state in marks}
    reads = may(staff.role, Permission.READ_RECORDS)
    return [
        ShownEmergency(
            row,
            names.get(row.asked_by, ""),
            names.get(row.decided_by, "") if row.decided_by else "",
            names.get(row.reviewed_by, "") if row.reviewed_by else "",
            # A ground can name a child: a person who reads no records reads that of the accounts
            # alone.
            opened(work, row.ground_sealed, row, GROUND)
            if row.kind == EmergencyKind.ACCOUNTS or reads
            else "",
            opened(work, row.review_sealed, row, REVIEW) if row.review_sealed else "",
            await _code(work, row),
            (row.id, row.state) not in seen_ones,
            await _acts(work, row) if may_review(row, staff) else [],
            row.state == EmergencyState.ASKED and await may_confirm(work, row, staff),
        )
        for row in rows
    ]


async def _acts(work: Work, row: Emergency) -> list[ActUnder]:
    """Return what was done under an emergency access, oldest first, and what became of it."""
    if row.decided_at is None or row.until is None:
        return []
    undone: set[int] = set()
    left: set[int] = set()
    for detail in await work.session.scalars(
        select(AuditEntry.detail).where(
            AuditEntry.action == AuditLog.EMERGENCY_UNDONE.value,
            AuditEntry.subject == f"emergency:{row.id}",
        )
    ):
        undone |= set(detail["undone"])
        left |= set(detail["left"])

    def outcome(act_id: int) -> ActOutcome | None:
        if act_id in left:
            return ActOutcome.LEFT
        if act_id in undone:
            return ActOutcome.UNDONE
        if row.settings_back_at is not None:
            return ActOutcome.STAYS
        # What is put back in a moment is kept until then.
        if row.state != EmergencyState.ENDED or row.before_sealed is not None:
            return None
        # A reading is never undone.
        return ActOutcome.UNKNOWN if row.kind == EmergencyKind.ACCOUNTS else ActOutcome.STAYS

    found = await all_acts_under(work, row, _MOST_ACTS)
    return [ActUnder(one.at, one.action, outcome(one.id)) for one in found]


async def _code(work: Work, row: Emergency) -> str:
    if row.subject_id is None:
        return ""
    model: Any = Contact if row.subject_kind == SubjectKind.CONTACT else Case
    return await work.session.scalar(select(model.code).where(model.id == row.subject_id)) or ""
