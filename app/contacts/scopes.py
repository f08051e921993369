"""Who may read which record: every reading begins with one of these statements.

Access is recorded when it is given (`contact_readers`, `case_members`): to the owner, to earlier
owners, and to colleagues who work on a case with the contact. A supervisor reads what the team
wrote. A role without the permission reads nothing, whatever those tables say.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from app.contacts.cases.models import CaseContact, CaseMember
from app.contacts.log_kinds import ReadsBecause
from app.contacts.models import Case, Contact, ContactReader, Filled, Opening
from app.database.quick import Command
from app.errors import Conflict, NotFound
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

R = TypeVar("R", bound=Filled)


class Erased(Conflict):
    default = (
        "Names and texts of this record were erased: their time is over, or their person asked for "
        "it. It can no longer be changed. Record a new contact instead."
    )


class Reader(NamedTuple):
    """The reader: an account, or parameters for one in a statement that is compiled once."""

    id: Any
    role: str
    team: Any


def any_reader(role: str) -> Reader:
    """Return a reader of a role, as parameters `reader` and `team`."""
    return Reader(bindparam("reader", type_=Contact.id.type), role, bindparam("team"))


def reads_contact(staff: Staff | Reader) -> ColumnElement[bool]:
    """Return the condition for contacts that a person may read: their own, those handed over
    since, those in their cases, and for a supervisor those of the team."""
    if not may(staff.role, Permission.READ_RECORDS):
        return false()
    mine = exists().where(
        ContactReader.staff_id == staff.id, ContactReader.contact_id == Contact.id
    )
    if may(staff.role, Permission.READ_TEAM_RECORDS):
        return or_(Contact.team == staff.team, mine)
    return mine


def reads_case(staff: Staff | Reader) -> ColumnElement[bool]:
    """Return the condition for cases that a person may read: those they work on, and for a
    supervisor those of the team."""
    if not may(staff.role, Permission.READ_RECORDS):
        return false()
    mine = exists().where(CaseMember.staff_id == staff.id, CaseMember.case_id == Case.id)
    if may(staff.role, Permission.READ_TEAM_RECORDS):
        return or_(Case.team == staff.team, mine)
    return mine


def writes_contact(staff: Staff | Reader) -> ColumnElement[bool]:
    """Return the condition for contacts that a person may change: their own, and for a
    supervisor those of the team."""
    if not may(staff.role, Permission.WRITE_CONTACTS):
        return false()
    if may(staff.role, Permission.READ_TEAM_RECORDS):
        return or_(Contact.owner_id == staff.id, Contact.team == staff.team)
    return Contact.owner_id == staff.id


def writes_case(staff: Staff | Reader) -> ColumnElement[bool]:
    """Return the condition for cases that a person may change: all they may read, if the role
    works on cases."""
    return reads_case(staff) if may(staff.role, Permission.WRITE_CASES) else false()


Rule = Callable[[Any], ColumnElement[bool]]
_READS: dict[Any, Rule] = {Contact: reads_contact, Case: reads_case}
_WRITES: dict[Any, Rule] = {Contact: writes_contact, Case: writes_case}


def scope(model: type[Filled], reads: Rule, writes: Rule) -> None:
    """Set who may read and change the records of an area above this one."""
    _READS[model], _WRITES[model] = reads, writes


def readable(model: type[R], staff: Staff | Reader) -> Select[Any]:
    """Select the records of a kind that a person may read."""
    return select(model).where(_READS[model](staff))


@functools.lru_cache(maxsize=64)
def _lockable(model: Any, role: str) -> Select[Any]:
    """Select the record `record` if a person of a role may change it. Built once: each save sends
    it."""
    return (
        select(model)
        .where(
            model.id == bindparam("record", type_=model.id.type), _WRITES[model](any_reader(role))
        )
        .with_for_update(of=model)
        .execution_options(populate_existing=True)
    )


async def lock_writable(work: Work, staff: Staff, model: type[R], record_id: UUID) -> R:
    """Lock a record that the person may change. Raises NotFound also if they may not."""
    kind: Any = model
    record: R | None = await work.session.scalar(
        _lockable(kind, staff.role),
        {"record": record_id, "reader": staff.id, "team": staff.team},
    )
    if record is None:
        raise NotFound("Not found, or you cannot change it.")
    if record.erased_at is not None:
        raise Erased()
    return record


async def may_read_any(work: Work, staff: Staff, record_id: UUID) -> bool:
    """Return whether there is a record of that id that the person may read."""
    found = [
        select(model.id).where(model.id == record_id, reads(staff))
        for model, reads in _READS.items()
    ]
    return await work.session.scalar(union_all(*found)) is not None


async def check_contact_writable(work: Work, staff: Staff, contact_id: UUID) -> None:
    """Check that a contact is the person's own, or of a supervisor's team. Raises NotFound."""
    statement = select(Contact.id).where(Contact.id == contact_id, writes_contact(staff))
    if await work.session.scalar(statement) is None:
        raise NotFound("Not found, or only its owner or a supervisor can add it to a case.")


async def may_write_case(work: Work, staff: Staff, case_id: UUID) -> bool:
    """Return whether the person may change that case."""
    statement = select(Case.id).where(Case.id == case_id, writes_case(staff))
    return await work.session.scalar(statement) is not None


# -- writing down who reads --------------------------------------------------------------------


def _how_long(cause: Any) -> ColumnElement[int]:
    """Return which cause of two stays: that of an opening ends after hours, that of a case with
    the case, and the others last."""
    ends = (ReadsBecause.OPENED_FOR_REASON, ReadsBecause.CASE)
    steps = [(cause == literal_column(f"'{one.value}'"), number) for number, one in enumerate(ends)]
    return case(
        *((condition, literal_column(str(number))) for condition, number in steps),
        else_=literal_column(str(len(ends))),
    )


def _reader() -> Insert:
    row = insert(ContactReader)
    return row.on_conflict_do_update(
        index_elements=["staff_id", "contact_id"],
        set_={"cause": row.excluded.cause, "since": row.excluded.since},
        where=_how_long(ContactReader.cause) < _how_long(row.excluded.cause),
    )


_READER = Command(ContactReader.__table__, statement=_reader())


def let_owner_read(contact: Insert) -> Insert:
    """Return the statement that writes a new contact and gives its owner access to it."""
    new = contact.returning(Contact.id, Contact.owner_id, Contact.opened_at).cte("new")
    row = {
        "contact_id": new.c.id,
        "staff_id": new.c.owner_id,
        "opened_at": new.c.opened_at,
        "since": new.c.opened_at,
        "cause": literal_column(f"'{ReadsBecause.OWNER.value}'"),
    }
    return insert(ContactReader).from_select(list(row), select(*row.values()))


def let_read(work: Work, contact: Contact, staff_id: UUID, cause: ReadsBecause) -> None:
    """Give a person access to a contact. A cause that lasts longer comes in the place of one that
    ends, so that the end of the one does not end the other. May run twice."""
    values = {
        "contact_id": contact.id,
        "staff_id": staff_id,
        "opened_at": contact.opened_at,
        "since": work.now,
        "cause": cause.value,
    }
    work.write_later(_READER, values)


async def let_work(work: Work, case: Case, staff_id: UUID) -> bool:
    """Add a person to a case, who then reads its contacts. Return whether the person is new."""
    result: Any = await work.session.execute(
        insert(CaseMember)
        .values(case_id=case.id, staff_id=staff_id, opened_at=case.opened_at, since=work.now)
        .on_conflict_do_nothing()
    )
    linked = await work.session.scalars(
        select(Contact)
        .join(CaseContact, CaseContact.contact_id == Contact.id)
        .where(CaseContact.case_id == case.id)
    )
    for contact in linked.all():
        let_read(work, contact, staff_id, ReadsBecause.CASE)
    return bool(result.rowcount)


async def let_case_read(work: Work, case: Case, contact: Contact) -> None:
    """Give all people who work on a case access to a contact that was added to it."""
    members = await work.session.scalars(
        select(CaseMember.staff_id).where(CaseMember.case_id == case.id)
    )
    for staff_id in members.all():
        let_read(work, contact, staff_id, ReadsBecause.CASE)


async def take_back_reading(
    work: Work, *, of: UUID | None = None, contact_id: UUID | None = None
) -> None:
    """Remove access that was given only for a case that the reader or the contact has left: that
    `of` a person, or to a contact."""
    which = [ContactReader.cause == ReadsBecause.CASE]
    if of is not None:
        which.append(ContactReader.staff_id == of)
    if contact_id is not None:
        which.append(ContactReader.contact_id == contact_id)
    await end_reading(work, *which)


async def end_reading(work: Work, *which: ColumnElement[bool]) -> None:
    """Remove those rows of access that nothing carries any more; what another cause carries stays,
    for that cause."""
    owned = exists().where(
        Contact.id == ContactReader.contact_id, Contact.owner_id == ContactReader.staff_id
    )
    on_its_case = exists().where(
        CaseContact.contact_id == ContactReader.contact_id,
        CaseMember.case_id == CaseContact.case_id,
        CaseMember.staff_id == ContactReader.staff_id,
    )
    opened = exists().where(
        Opening.staff_id == ContactReader.staff_id,
        Opening.until > work.now,
        ContactReader.contact_id == func.any(Opening.contacts),
    )
    carried = case(
        (owned, ReadsBecause.OWNER.value),
        (on_its_case, ReadsBecause.CASE.value),
        (opened, ReadsBecause.OPENED_FOR_REASON.value),
        else_=None,
    )
    rows = work.session.execute
    unseen = {"synchronize_session": False}
    await rows(
        update(ContactReader)
        .where(*which, carried != ContactReader.cause)
        .values(cause=carried)
        .execution_options(**unseen)
    )
    await rows(delete(ContactReader).where(*which, carried.is_(None)).execution_options(**unseen))
