"""Who works on a case: its owner, its members, and how it is given to another owner."""

from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update

from app.contacts import openings
from app.contacts.cases.models import CaseMember, CaseRequest, FollowUp
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case
from app.contacts.scopes import (
    let_work,
    lock_writable,
    take_back_reading,
)
from app.contacts.states import Subject
from app.errors import Invalid, NotAllowed
from app.staff import receiving
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work


async def lock_own(work: Work, staff: Staff, case_id: UUID) -> Case:
    """Lock a case that the person owns or whose team they supervise.

    Raises NotFound, NotAllowed.
    """
    case = await lock_writable(work, staff, Case, case_id)
    leads = may(staff.role, Permission.READ_TEAM_RECORDS) and case.team == staff.team
    if case.owner_id != staff.id and not leads:
        raise NotAllowed("Only its owner or a supervisor decides who works on the case.")
    return case


async def add_member(work: Work, staff: Staff, case_id: UUID, name: str) -> Case:
    """Let a colleague work on a case. Raises NotFound, Invalid."""
    other = await colleague_of(work, name)
    case = await lock_own(work, staff, case_id)
    if await let_work(work, case, other.id):
        note_event(work, Subject.CASE, case.id, RecordLog.MEMBER_ADDED, staff=str(other.id))
    return case


async def works_on(work: Work, case: Case, staff: Staff) -> bool:
    """Return whether a colleague works on a case."""
    there = select(CaseMember.case_id).where(
        CaseMember.case_id == case.id, CaseMember.staff_id == staff.id
    )
    return await work.session.scalar(there) is not None


async def remove_member(work: Work, staff: Staff, case_id: UUID, name: str) -> Case:
    """Remove a colleague from a case, with the access that they had only for it.

    Raises NotFound, Invalid.
    """
    case = await lock_own(work, staff, case_id)
    other = await colleague_of(work, name)
    if other.id == case.owner_id:
        raise Invalid("This colleague owns the case. Hand the case over first.")
    result: Any = await work.session.execute(
        delete(CaseMember).where(CaseMember.case_id == case.id, CaseMember.staff_id == other.id)
    )
    if result.rowcount:
        note_event(work, Subject.CASE, case.id, RecordLog.MEMBER_REMOVED, staff=str(other.id))
        await take_back_reading(work, of=other.id)
    return case


async def assign_case(work: Work, staff: Staff, case_id: UUID, name: str) -> Case:
    """Assign a case of the team to a colleague, at once. Only a supervisor can: the owner asks
    for a transfer. Raises NotFound, Invalid, NotAllowed.
    """
    other = await colleague_of(work, name)
    case = await lock_writable(work, staff, Case, case_id)
    if not may(staff.role, Permission.READ_TEAM_RECORDS) or case.team != staff.team:
        raise NotAllowed("Only a supervisor can assign a case. Ask a colleague to take it over.")
    if other.team != case.team:
        raise NotAllowed("That colleague is in another team. Ask that team to take it over.")
    if other.id != case.owner_id:
        await hand_over(work, case, other)
    return case


async def end_requests(work: Work, case: Case) -> None:
    """End the open requests of a locked case without approval."""
    await work.session.flush()
    await work.session.execute(
        update(CaseRequest)
        .where(CaseRequest.case_id == case.id, CaseRequest.decided_at.is_(None))
        .values(decided_at=work.now, decided_by=work.actor.staff_id, approved=False)
    )


async def hand_over(work: Work, case: Case, other: Staff) -> None:
    """Give a locked case and its open follow-ups to a new owner. The previous owner stays a
    member until a colleague removes them.
    """
    await let_work(work, case, other.id)
    # Requests made under the previous owner have to be made again.
    await end_requests(work, case)
    before, case.owner_id, case.team = case.owner_id, other.id, other.team
    # Open follow-ups go with the case.
    await work.session.execute(
        update(FollowUp)
        .where(FollowUp.case_id == case.id, FollowUp.owner_id == before, FollowUp.done_at.is_(None))
        .values(owner_id=other.id)
    )
    note_event(
        work,
        Subject.CASE,
        case.id,
        RecordLog.CASE_GIVEN,
        before=str(before),
        owner_id=str(other.id),
    )


async def give_cases(work: Work, owner: Staff, to: Staff) -> int:
    """Give the open cases of a person who leaves to a colleague, with their follow-ups.

    Return how many there were.
    """
    rows = await work.session.scalars(
        select(Case)
        .where(Case.owner_id == owner.id, Case.closed_at.is_(None))
        .order_by(Case.id)
        .with_for_update()
    )
    found = rows.all()
    for case in found:
        await hand_over(work, case, to)
    return len(found)


async def leave_cases(work: Work, staff: Staff) -> None:
    """Take a person out of the cases of others, with the access that they had only for these, and
    end what they have opened for a reason and the requests that wait for them."""
    left = await work.session.scalars(
        delete(CaseMember)
        .where(
            CaseMember.staff_id == staff.id,
            CaseMember.case_id.in_(select(Case.id).where(Case.owner_id != staff.id)),
        )
        .returning(CaseMember.case_id)
    )
    for case_id in left.all():
        note_event(work, Subject.CASE, case_id, RecordLog.MEMBER_REMOVED, staff=str(staff.id))
    await work.session.execute(
        update(CaseRequest)
        .where(
            CaseRequest.decided_at.is_(None),
            (CaseRequest.to_id == staff.id) | (CaseRequest.asked_by == staff.id),
        )
        .values(decided_at=work.now, decided_by=work.actor.staff_id, approved=False)
    )
    await take_back_reading(work, of=staff.id)
    await openings.end_all_of(work, staff.id)


async def colleague_of(work: Work, name: str) -> Staff:
    """Return a colleague who works on cases, by name; they stay active until the end of the
    transaction. Raises Invalid."""
    other = await receiving.receiver(work, Staff.name == name.strip())
    if other is None or not may(other.role, Permission.WRITE_CASES):
        raise Invalid("No colleague of that name works on cases. Check the name.")
    return other


async def members_of(work: Work, case: Case) -> list[str]:
    """Return the names of the people who work on a case, the owner first."""
    owner = await work.session.scalar(select(Staff.name).where(Staff.id == case.owner_id))
    rows = await work.session.scalars(
        select(Staff.name)
        .join(CaseMember, CaseMember.staff_id == Staff.id)
        .where(CaseMember.case_id == case.id, Staff.id != case.owner_id)
        .order_by(Staff.name)
    )
    return [owner or "", *rows]
