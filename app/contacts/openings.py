"""Earlier contacts of a known caller, opened for a reason by the counsellor who has the call.

At night the colleague who knows the child is asleep. Then the counsellor who is talking with the
same person, or has just done so, may open the earlier contacts for some hours. The opening is
logged first, the owner of each contact and the supervisors see it, and a supervisor reviews
whether it was right.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, false, func, or_, select, update

from app.calls.models import Call
from app.calls.states import CallState
from app.contacts.events import note_event
from app.contacts.log_kinds import ReadsBecause, RecordLog
from app.contacts.models import Contact, ContactReader, Opening
from app.contacts.scopes import end_reading, let_read, lock_writable, reads_contact
from app.contacts.states import Subject
from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.jobs.names import Task
from app.jobs.transaction import send_rows
from app.staff.audit import write_entry, write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

# How long after its end a call has "just" been.
JUST = timedelta(hours=2)
# How long the access lasts: about a shift.
LASTS = timedelta(hours=12)
# How long owners see an opening on the desk.
_SHOWN = timedelta(days=7)


@dataclass(frozen=True)
class ShownOpening:
    """An opening as the owner and the supervisors see it."""

    opening: Opening
    reader: str
    reason: str
    codes: list[tuple[UUID, str]]


async def open_earlier(work: Work, staff: Staff, contact_id: UUID, reason: str) -> list[Contact]:
    """Open the earlier contacts of the caller whose contact the counsellor owns, for some hours.

    Raises NotFound, Invalid without a reason, NotAllowed if the call is not going on or just
    over, and Conflict if there is nothing to open.
    """
    contact = await lock_writable(work, staff, Contact, contact_id)
    if not reason.strip() or len(reason) > 2000 or "\x00" in reason:
        raise Invalid("Write why you need to read them, in at most 2000 characters.")
    if contact.owner_id != staff.id or not await _talks(work, contact):
        raise NotAllowed(
            "Only the counsellor who talks with this person, or has just done so, may open them."
        )
    if contact.profile_id is None:
        raise Conflict("It is not known who is calling. Choose the profile of the caller first.")
    found = list(
        await work.session.scalars(
            select(Contact)
            .where(
                Contact.profile_id == contact.profile_id,
                Contact.id != contact.id,
                ~reads_contact(staff),
            )
            .order_by(Contact.taken_at.desc())
        )
    )
    if not found:
        raise Conflict("You can already read all contacts of this person.")
    for one in found:
        await write_reading(work, AuditLog.CONTACT_OPENED_FOR_REASON, f"contact:{one.id}")
    opening_id = uuid4()
    work.session.add(
        Opening(
            id=opening_id,
            staff_id=staff.id,
            contact_id=contact.id,
            team=contact.team,
            contacts=[one.id for one in found],
            at=work.now,
            until=work.now + LASTS,
            reason_sealed=work.keys.seal(
                reason.strip().encode(), table="openings", column="reason_sealed", row=opening_id
            ),
        )
    )
    for one in found:
        let_read(work, one, staff.id, ReadsBecause.OPENED_FOR_REASON)
        note_event(
            work,
            Subject.CONTACT,
            one.id,
            RecordLog.OPENED_FOR_REASON,
            words=reason.strip(),
            opening=str(opening_id),
        )
    work.defer(Task.CLOSE_OPENING, delay=LASTS, opening_id=str(opening_id))
    work.announce(Topic.NOTICES)
    return found


async def may_open(work: Work, staff: Staff, contact: Contact) -> int:
    """Return how many earlier contacts of this person the counsellor may open for a reason."""
    if contact.profile_id is None or contact.owner_id != staff.id:
        return 0
    if not await _talks(work, contact):
        return 0
    found = (
        select(func.count())
        .select_from(Contact)
        .where(
            Contact.profile_id == contact.profile_id,
            Contact.id != contact.id,
            ~reads_contact(staff),
        )
    )
    return await work.session.scalar(found) or 0


async def open_in_emergency(
    work: Work, staff: Staff, found: list[Contact], reason: str, until: datetime
) -> None:
    """Open contacts that two people have opened in an emergency: owners see it, and supervisors
    review it, as any opening."""
    for one in found:
        await write_reading(work, AuditLog.CONTACT_OPENED_FOR_REASON, f"contact:{one.id}")
    opening_id = uuid4()
    work.session.add(
        Opening(
            id=opening_id,
            staff_id=staff.id,
            contact_id=found[0].id,
            team=found[0].team,
            contacts=[one.id for one in found],
            at=work.now,
            until=until,
            in_emergency=True,
            reason_sealed=work.keys.seal(
                reason.encode(), table="openings", column="reason_sealed", row=opening_id
            ),
        )
    )
    for one in found:
        let_read(work, one, staff.id, ReadsBecause.OPENED_FOR_REASON)
        note_event(
            work,
            Subject.CONTACT,
            one.id,
            RecordLog.OPENED_FOR_REASON,
            words=reason,
            opening=str(opening_id),
        )
    work.announce(Topic.NOTICES)


async def end_emergency_of(work: Work, staff_id: UUID, since: datetime) -> None:
    """End at once what was opened to a person in an emergency that began at `since`. May run twice,
    and late: its time may be over."""
    await _end(
        work, Opening.staff_id == staff_id, Opening.in_emergency.is_(True), Opening.at >= since
    )


async def end_all_of(work: Work, staff_id: UUID) -> None:
    """End at once all that a person has opened for a reason. May run twice."""
    await _end(work, Opening.staff_id == staff_id, Opening.until > work.now)


async def _end(work: Work, *which: ColumnElement[bool]) -> None:
    found = await work.session.scalars(
        update(Opening)
        .where(*which)
        .values(until=func.least(Opening.until, work.now))
        .returning(Opening.id)
        .execution_options(synchronize_session=False)
    )
    # Rows of this transaction, too, that give the access.
    await send_rows(work)
    for opening_id in found.all():
        await close_opening(work, opening_id)


async def _talks(work: Work, contact: Contact) -> bool:
    """Return whether the call of a contact goes on, or is just over."""
    if contact.call_id is None:
        return False
    call = await work.session.get(Call, contact.call_id)
    assert call is not None
    if CallState(call.state) is CallState.CONNECTED:
        return True
    return call.ended_at is not None and work.now - call.ended_at <= JUST


async def close_opening(work: Work, opening_id: UUID) -> None:
    """End the access that an opening gave, once its time is over. May run twice."""
    opening = await work.session.get(Opening, opening_id, populate_existing=True)
    if opening is None:
        return
    if opening.until > work.now:
        # The job's clock was a little ahead of ours.
        work.defer(Task.CLOSE_OPENING, delay=opening.until - work.now, opening_id=str(opening_id))
        return
    await end_reading(
        work,
        ContactReader.staff_id == opening.staff_id,
        ContactReader.contact_id.in_(opening.contacts),
        ContactReader.cause == ReadsBecause.OPENED_FOR_REASON,
    )


# -- for owners and supervisors ------------------------------------------------------------------


def _concerns(work: Work, staff: Staff) -> ColumnElement[bool]:
    """Return the condition for openings that a person is told of: recent ones of their own
    contacts and, for a supervisor, those of the team to review."""
    if not may(staff.role, Permission.READ_RECORDS):
        return false()
    own = select(Contact.id).where(
        Contact.owner_id == staff.id, Contact.id == func.any(Opening.contacts)
    )
    mine = and_(own.exists(), Opening.at >= work.now - _SHOWN)
    if may(staff.role, Permission.READ_TEAM_RECORDS):
        of_team = and_(Opening.team == staff.team, Opening.reviewed_at.is_(None))
        return or_(mine, of_team)
    return mine


async def openings_for(work: Work, staff: Staff) -> list[ShownOpening]:
    """Return the openings that a person is told of, newest first."""
    rows = await work.session.execute(
        select(Opening, Staff.name)
        .join(Staff, Staff.id == Opening.staff_id)
        .where(_concerns(work, staff))
        .order_by(Opening.at.desc())
        .limit(50)
    )
    found = [(opening, name) for opening, name in rows]
    ids = {contact for opening, _ in found for contact in opening.contacts}
    named = await work.session.execute(
        select(Contact.id, Contact.code).where(Contact.id.in_(ids), reads_contact(staff))
    )
    codes: dict[UUID, str] = {contact_id: code for contact_id, code in named}  # noqa: C416
    return [
        ShownOpening(
            opening,
            name,
            _reason(work, opening),
            [(contact, codes[contact]) for contact in opening.contacts if contact in codes],
        )
        for opening, name in found
    ]


def _reason(work: Work, opening: Opening) -> str:
    return work.keys.open(
        opening.reason_sealed, table="openings", column="reason_sealed", row=opening.id
    ).decode()


async def review(work: Work, staff: Staff, opening_id: UUID, *, fitting: bool, words: str) -> None:
    """Record whether it was right to open the contacts; no supervisor reviews their own opening.

    If it was not right, the access ends at once. Raises NotFound, NotAllowed, Invalid, Conflict.
    """
    opening: Any = await work.session.scalar(
        select(Opening).where(Opening.id == opening_id, _concerns(work, staff)).with_for_update()
    )
    if opening is None:
        raise NotFound("Not found, or you do not have access.")
    if not may(staff.role, Permission.READ_TEAM_RECORDS) or opening.staff_id == staff.id:
        raise NotAllowed("Only a supervisor can review an opening, and never their own.")
    if opening.reviewed_at is not None:
        raise Conflict("The opening was reviewed already.")
    if not fitting and not words.strip():
        raise Invalid("Write what was not right.")
    if len(words) > 2000 or "\x00" in words:
        raise Invalid("Write at most 2000 characters.")
    opening.reviewed_at, opening.reviewed_by, opening.fitting = work.now, staff.id, fitting
    if not fitting:
        opening.until = min(opening.until, work.now)
        await work.session.flush()
        await close_opening(work, opening.id)
    note_event(
        work,
        Subject.CONTACT,
        opening.contact_id,
        RecordLog.OPENING_REVIEWED,
        words=words.strip() or None,
        opening=str(opening.id),
        fitting=fitting,
    )
    write_entry(work, AuditLog.OPENING_REVIEWED, f"opening:{opening.id}")
    work.announce(Topic.NOTICES)
