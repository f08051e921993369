"""Who sees which record: every reading begins with one of these statements."""

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, false, or_, select

from app.contacts.models import Case, CaseContact, CaseMember, Contact, ContactReader
from app.errors import NotFound
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

R = TypeVar("R", bound=Contact | Case)


def _cases_of(staff: Staff) -> Select[Any]:
    return select(Case.id).where(
        or_(
            Case.owner_id == staff.id,
            Case.id.in_(select(CaseMember.case_id).where(CaseMember.staff_id == staff.id)),
        )
    )


def reads_contact(staff: Staff) -> ColumnElement[bool]:
    """Own ones, those of before a transfer, those in one's cases; a supervisor's team's."""
    if not may(staff.role, Permission.READ_RECORDS):
        return false()
    lent = select(ContactReader.contact_id).where(ContactReader.staff_id == staff.id)
    in_cases = select(CaseContact.contact_id).where(CaseContact.case_id.in_(_cases_of(staff)))
    ways = [Contact.owner_id == staff.id, Contact.id.in_(lent), Contact.id.in_(in_cases)]
    if may(staff.role, Permission.READ_TEAM_RECORDS):
        ways.append(Contact.team == staff.team)
    return or_(*ways)


def reads_case(staff: Staff) -> ColumnElement[bool]:
    """Own ones and those one works on; a supervisor's team's."""
    if not may(staff.role, Permission.READ_RECORDS):
        return false()
    member = select(CaseMember.case_id).where(CaseMember.staff_id == staff.id)
    ways = [Case.owner_id == staff.id, Case.id.in_(member)]
    if may(staff.role, Permission.READ_TEAM_RECORDS):
        ways.append(Case.team == staff.team)
    return or_(*ways)


def writes_contact(staff: Staff) -> ColumnElement[bool]:
    """One's own; a supervisor's team's."""
    if not may(staff.role, Permission.WRITE_CONTACTS):
        return false()
    if may(staff.role, Permission.READ_TEAM_RECORDS):
        return or_(Contact.owner_id == staff.id, Contact.team == staff.team)
    return Contact.owner_id == staff.id


def writes_case(staff: Staff) -> ColumnElement[bool]:
    """Whoever reads it, if the role works on cases."""
    return reads_case(staff) if may(staff.role, Permission.WRITE_CASES) else false()


_READS: dict[Any, Any] = {Contact: reads_contact, Case: reads_case}
_WRITES: dict[Any, Any] = {Contact: writes_contact, Case: writes_case}


def readable(model: type[R], staff: Staff) -> Select[Any]:
    """The records of a kind that somebody may read."""
    return select(model).where(_READS[model](staff))


async def lock_writable(work: Work, staff: Staff, model: type[R], record_id: UUID) -> R:
    """A record that the person may change, locked. Raises NotFound either way if not."""
    statement = select(model).where(model.id == record_id, _WRITES[model](staff))
    record: R | None = await work.session.scalar(
        statement.with_for_update(of=model).execution_options(populate_existing=True)
    )
    if record is None:
        raise NotFound("There is no such record, or it is not yours to change.")
    return record


async def may_read_any(work: Work, staff: Staff, record_id: UUID) -> bool:
    """Whether there is a contact or a case of that id that the person may read."""
    contact = select(Contact.id).where(Contact.id == record_id, reads_contact(staff))
    case = select(Case.id).where(Case.id == record_id, reads_case(staff))
    return await work.session.scalar(contact.union_all(case)) is not None
