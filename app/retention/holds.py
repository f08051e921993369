"""Legal holds: a record that is not erased, whatever the rule says, until the hold is lifted.

A supervisor holds the records that they read. An administrator reads none, and holds a record whose
code or id they were told.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select, select

from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case, Contact
from app.contacts.records import Opened
from app.contacts.scopes import Erased, readable
from app.contacts.states import Subject
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.referrals.models import Referral
from app.retention.kinds import HeldKind
from app.retention.models import LegalHold
from app.retention.rules import alone
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

MODELS: dict[HeldKind, Any] = {
    HeldKind.CONTACT: Contact,
    HeldKind.CASE: Case,
    HeldKind.REFERRAL: Referral,
}
_LETTERS = {"K": HeldKind.CONTACT, "C": HeldKind.CASE, "R": HeldKind.REFERRAL}
LONGEST_REASON = 500


@dataclass(frozen=True)
class Held:
    """A hold as a list shows it: which record, since when, by whom. Never why."""

    id: UUID
    kind: HeldKind
    subject_id: UUID
    code: str
    held_at: datetime
    held_by: UUID | None


def _within(staff: Staff | None, model: Any) -> Select[Any]:
    """Select the records that a person may hold; None is the command line."""
    if staff is None:
        return select(model)
    if not may(staff.role, Permission.HOLD_RECORDS):
        raise NotAllowed("Only supervisors and administrators can hold a record.")
    # An administrator reads no record, and is told the code of one that a court asks for.
    if not may(staff.role, Permission.READ_RECORDS):
        return select(model)
    return readable(model, staff)


async def find_by_code(work: Work, staff: Staff | None, code: str) -> tuple[HeldKind, UUID]:
    """Return the record with a code that a person may hold. Raises NotFound, NotAllowed."""
    code = code.strip().upper()
    kind = _LETTERS.get(code[:1])
    if kind is not None:
        model = MODELS[kind]
        found = await work.session.scalar(
            _within(staff, model).where(model.code == code).with_only_columns(model.id)
        )
        if found is not None:
            return kind, found
    raise NotFound("There is no record with this code. Write it like K-7F3-9QD-2XC.")


async def _lock(work: Work, staff: Staff | None, kind: HeldKind, record_id: UUID) -> Any:
    model = MODELS[kind]
    record = await work.session.scalar(
        _within(staff, model)
        .where(model.id == record_id)
        .with_for_update(of=model)
        .execution_options(populate_existing=True)
    )
    if record is None:
        raise NotFound("Not found, or you do not have access.")
    return record


async def _open_hold(work: Work, record_id: UUID) -> LegalHold | None:
    found: LegalHold | None = await work.session.scalar(
        select(LegalHold).where(LegalHold.subject_id == record_id, LegalHold.lifted_at.is_(None))
    )
    return found


async def hold(
    work: Work, staff: Staff | None, kind: HeldKind, record_id: UUID, reason: str
) -> UUID:
    """Hold a record, with the reason. Raises NotFound, NotAllowed, Invalid, Conflict."""
    reason = " ".join(reason.split())
    if not 5 <= len(reason) <= LONGEST_REASON or "\x00" in reason:
        raise Invalid("Give a reason of 5 to %(most)s characters.", most=LONGEST_REASON)
    await alone(work)
    record = await _lock(work, staff, kind, record_id)
    if record.erased_at is not None:
        raise Erased()
    if await _open_hold(work, record_id) is not None:
        raise Conflict("This record is held already.")
    hold_id = uuid4()
    work.session.add(
        LegalHold(
            id=hold_id,
            subject_kind=kind.value,
            subject_id=record_id,
            reason_sealed=work.keys.seal(
                reason.encode(), table="legal_holds", column="reason_sealed", row=hold_id
            ),
            held_at=work.now,
            held_by=work.actor.staff_id,
        )
    )
    await work.session.flush()
    note_event(work, Subject(kind), record_id, RecordLog.HELD, words=reason)
    subject = f"{kind.value}:{record_id}"
    write_entry(work, AuditLog.RECORD_HELD, subject, before=None, after="held")
    return hold_id


async def lift(work: Work, staff: Staff | None, kind: HeldKind, record_id: UUID) -> None:
    """Lift the hold of a record. Raises NotFound, NotAllowed, Conflict."""
    await alone(work)
    await _lock(work, staff, kind, record_id)
    found = await _open_hold(work, record_id)
    if found is None:
        raise Conflict("This record is not held.")
    found.lifted_at, found.lifted_by = work.now, work.actor.staff_id
    await work.session.flush()
    note_event(work, Subject(kind), record_id, RecordLog.HOLD_LIFTED)
    subject = f"{kind.value}:{record_id}"
    write_entry(work, AuditLog.RECORD_HOLD_LIFTED, subject, before="held", after=None)


async def open_holds(work: Work) -> list[Held]:
    """Return the holds in force, oldest first, without their reasons."""
    found = []
    for kind, model in MODELS.items():
        rows = await work.session.execute(
            select(LegalHold, model.code)
            .join(model, model.id == LegalHold.subject_id)
            .where(LegalHold.subject_kind == kind.value, LegalHold.lifted_at.is_(None))
        )
        found += [
            Held(row.id, kind, row.subject_id, code, row.held_at, row.held_by) for row, code in rows
        ]
    return sorted(found, key=lambda held: held.held_at)


async def hold_of(opened: Opened[Any]) -> tuple[LegalHold, str] | None:
    """Return the hold of a record whose reading is in the log, with its reason."""
    found = await _open_hold(opened.work, opened.id)
    if found is None:
        return None
    reason = opened.words(
        found.reason_sealed, table="legal_holds", column="reason_sealed", row=found.id
    )
    return found, reason
