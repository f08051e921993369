"""The caseload: how many open cases each colleague has, and how many of them need attention."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from app.contacts.cases.models import CaseRequest, FollowUp
from app.contacts.models import Case
from app.contacts.scopes import reads_case
from app.definitions.risk import Risk
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work


@dataclass(frozen=True)
class Caseload:
    """The open cases of one owner; numbers of cases, not of follow-ups."""

    owner_id: UUID
    owner: str
    open: int
    high_risk: int
    # Cases with an overdue follow-up, with nothing planned, with an undecided request.
    overdue: int
    nothing_planned: int
    waiting: int


async def caseload(work: Work, staff: Staff) -> list[Caseload]:
    """Return the caseload of each owner, largest first: of the person, or a supervisor's team."""
    undone = select(FollowUp.id).where(FollowUp.case_id == Case.id, FollowUp.done_at.is_(None))
    late = undone.where(FollowUp.overdue_at.is_not(None)).exists()
    waits = (
        select(CaseRequest.id)
        .where(CaseRequest.case_id == Case.id, CaseRequest.decided_at.is_(None))
        .exists()
    )
    number = func.count(Case.id)
    statement = (
        select(
            Case.owner_id,
            Staff.name,
            number,
            number.filter(Case.risk == Risk.HIGH),
            number.filter(late),
            number.filter(~undone.exists()),
            number.filter(waits),
        )
        .join(Staff, Staff.id == Case.owner_id)
        .where(Case.closed_at.is_(None), reads_case(staff))
        .group_by(Case.owner_id, Staff.name)
        .order_by(number.desc(), Staff.name)
    )
    if not may(staff.role, Permission.READ_TEAM_RECORDS):
        statement = statement.where(Case.owner_id == staff.id)
    rows = await work.session.execute(statement)
    return [Caseload(*row) for row in rows]
