"""Contacts that are read: one with its history, drafts, those of a caller, and counts."""

import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid, bindparam, exists, func, select

from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.contacts.contacts import CALL_ID, OPEN
from app.contacts.models import Contact, UrgencyDecision
from app.contacts.records import Opened, open_record
from app.contacts.registry import library_of
from app.contacts.scopes import reads_contact
from app.contacts.sealed_answers import open_lists
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.log_values import FoundBy
from app.staff.models import Staff
from app.work import Work


async def of_practice(work: Work, ids: Iterable[UUID]) -> set[UUID]:
    """Return those contacts whose call was one of a practice line."""
    wanted = list(ids)
    if not wanted:
        return set()
    return set(
        await work.session.scalars(
            select(Contact.id).where(
                Contact.id.in_(wanted),
                Contact.call_id.is_not(None),
                func.is_practice(None, Contact.id),
            )
        )
    )


async def open_contact(work: Work, staff: Staff, contact_id: UUID) -> Opened[Contact]:
    """Open a contact that the person may read; the reading is logged first. Raises NotFound."""
    return await open_record(work, staff, Contact, contact_id, AuditLog.CONTACT_READ)


@dataclass(frozen=True)
class Decided:
    """An urgency that was set, with the signs of danger at the time and the counsellor's words."""

    row: UrgencyDecision
    cues: list[str]
    reason: str


async def urgency_history(opened: Opened[Contact]) -> list[Decided]:
    """Return what was decided and suggested, oldest first, with the reasons."""
    rows = await opened.work.session.scalars(
        select(UrgencyDecision)
        .where(UrgencyDecision.contact_id == opened.id)
        .order_by(UrgencyDecision.at)
    )
    found = []
    for row in rows:
        why = json.loads(
            opened.words(
                row.reason_sealed, table="urgency_decisions", column="reason_sealed", row=row.id
            )
            or "{}"
        )
        found.append(Decided(row, why.get("signs", []), why.get("words", "")))
    return found


async def open_drafts(work: Work, staff: Staff) -> list[Contact]:
    """Return the person's own contacts that are not complete, newest first."""
    return list(
        await work.session.scalars(
            select(Contact)
            .where(Contact.owner_id == staff.id, *OPEN)
            .order_by(Contact.opened_at.desc())
            .limit(50)
        )
    )


# A counsellor's newest contacts, among which the categories offered first are counted.
_NEWEST = 40
# Categories that the form of a contact offers first.
_RECENT = 8


async def recent_categories(work: Work, staff: Staff) -> list[str]:
    """Return the codes that a counsellor's newest contacts hold, the most frequent first."""
    rows = await work.session.execute(
        select(Contact.id, Contact.categories_sealed)
        .where(Contact.owner_id == staff.id)
        .order_by(Contact.opened_at.desc())
        .limit(_NEWEST)
    )
    found = rows.all()
    ids = [str(contact_id) for contact_id, sealed in found if sealed is not None]
    if ids:
        await write_reading(work, AuditLog.RECORDS_LISTED, "contacts", by=[FoundBy.RECENT], ids=ids)
    table, leaves = Contact.__tablename__, library_of(work.ground).categories.choices()
    # The newest first, so that of two that are as frequent the newer one leads.
    counts = Counter(
        code
        for codes in open_lists(work, table, [(row.id, row.categories_sealed) for row in found])
        for code in codes
        if code in leaves
    )
    return [code for code, _ in counts.most_common(_RECENT)]


# Built once: every drawing of a desk sends it.
_AT_HAND = select(Contact).where(
    Contact.call_id == CALL_ID, Contact.owner_id == bindparam("who", type_=Uuid()), *OPEN
)


async def at_hand(work: Work, staff: Staff, call_id: UUID | None) -> Contact | None:
    """Return the person's own contact of a call, while it is not complete."""
    if call_id is None:
        return None
    values = {"call_id": call_id, "who": staff.id}
    found: Contact | None = await work.session.scalar(_AT_HAND, values)
    return found


async def at_hand_of_each(work: Work, staff: Staff, calls: Collection[UUID]) -> dict[UUID, Contact]:
    """Return the person's own contacts of these calls, by call, while they are not complete."""
    rows = await work.session.scalars(
        select(Contact).where(Contact.call_id.in_(calls), Contact.owner_id == staff.id, *OPEN)
    )
    return {row.call_id: row for row in rows if row.call_id is not None}


async def earlier_of_caller(work: Work, staff: Staff, call: Call) -> tuple[list[Contact], int]:
    """Return the earlier contacts of a call's number that the person may read, newest first, and
    the number of those that the person may not read."""
    if call.caller_key is None:
        return [], 0
    of_caller = Contact.call_id.in_(
        select(Call.id).where(Call.caller_key == call.caller_key, Call.opened_at < call.opened_at)
    )
    rows = await work.session.scalars(
        select(Contact)
        .where(of_caller, reads_contact(staff))
        .order_by(Contact.taken_at.desc())
        .limit(5)
    )
    mine = select(func.count()).select_from(Contact).where(of_caller, reads_contact(staff))
    everything = await work.session.scalar(
        select(func.count()).select_from(Contact).where(of_caller)
    )
    readable = await work.session.scalar(mine)
    return list(rows), (everything or 0) - (readable or 0)


async def counts_since(work: Work, staff: Staff, since: datetime) -> dict[str, int]:
    """Count the contacts that the person may read since an instant, by how they were closed.

    Those of practice calls are not counted.
    """
    closed = func.coalesce(Contact.closed_as, Contact.state)
    practised = exists().where(
        Call.id == Contact.call_id, Line.id == Call.line_id, Line.practice.is_(True)
    )
    rows = await work.session.execute(
        select(closed, func.count())
        .where(reads_contact(staff), Contact.taken_at >= since, ~practised)
        .group_by(closed)
    )
    return {key: value for key, value in rows}  # noqa: C416
