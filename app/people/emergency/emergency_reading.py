"""What an emergency access let a person read ends: the record itself, and the case that it is."""

from sqlalchemy import delete, update

from app.contacts import openings
from app.contacts.cases.models import CaseMember, CaseRequest
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case
from app.contacts.scopes import take_back_reading
from app.contacts.states import Subject
from app.staff.emergency_rows import Emergency, SubjectKind
from app.staff.models import Staff
from app.work import Work


async def end(work: Work, row: Emergency, reader: Staff) -> None:
    """End what a person reads by the emergency access to a record. May run twice."""
    if row.subject_kind == SubjectKind.CASE:
        await _leave_case(work, row, reader)
    # After that: an opening leaves what its reader reads for a case.
    assert row.decided_at is not None
    await openings.end_emergency_of(work, reader.id, row.decided_at)


async def _leave_case(work: Work, row: Emergency, reader: Staff) -> None:
    case = await work.session.get_one(
        Case, row.subject_id, with_for_update=True, populate_existing=True
    )
    await _end_requests(work, row, reader)
    if case.owner_id != reader.id:
        member = delete(CaseMember).where(
            CaseMember.case_id == case.id, CaseMember.staff_id == reader.id
        )
        # A person who has left the helpline has left the case with it.
        if await work.session.scalar(member.returning(CaseMember.staff_id)) is not None:
            note_event(work, Subject.CASE, case.id, RecordLog.MEMBER_REMOVED, staff=str(reader.id))
        await take_back_reading(work, of=reader.id)


async def _end_requests(work: Work, row: Emergency, reader: Staff) -> None:
    """End what the reader of a case has asked its team for, and what is not decided yet."""
    await work.session.execute(
        update(CaseRequest)
        .where(
            CaseRequest.case_id == row.subject_id,
            CaseRequest.asked_by == reader.id,
            CaseRequest.asked_at >= row.decided_at,
            CaseRequest.decided_at.is_(None),
        )
        .values(decided_at=work.now, decided_by=work.actor.staff_id, approved=False)
    )
