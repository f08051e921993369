"""Links between cases that belong together, above all those of brothers and sisters."""

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert

from app.contacts.cases.cases import lock_open
from app.contacts.cases.models import CaseLink
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case
from app.contacts.scopes import lock_writable, readable, reads_case
from app.contacts.states import CaseTie, Subject
from app.errors import Invalid, NotFound
from app.staff.models import Staff
from app.work import Work


class Linked(NamedTuple):
    """A linked case. If the reader may not read it, only its code is shown."""

    case: Case
    tie: CaseTie
    readable: bool


async def link_cases(work: Work, staff: Staff, case_id: UUID, code: str, tie: CaseTie) -> None:
    """Link two cases that the person works on; linking them again changes the tie.

    Raises NotFound, Invalid, Conflict for a case that is closed.
    """
    other = await work.session.scalar(
        readable(Case, staff).where(Case.code == code.strip().upper())
    )
    if other is None:
        raise NotFound("Not found, or you do not have access: check the code of the other case.")
    if other.id == case_id:
        raise Invalid("That is the code of this case. Write the code of the other one.")
    # Always in the same order, so that two requests for the same cases cannot deadlock.
    first, second = sorted((case_id, other.id))
    for one in (first, second):
        lock: Any = lock_open if one == case_id else _lock_any
        await lock(work, staff, one)
    values = {
        "case_id": first,
        "other_id": second,
        "tie": tie.value,
        "linked_at": work.now,
        "linked_by": staff.id,
    }
    statement = insert(CaseLink).values(**values)
    await work.session.execute(
        statement.on_conflict_do_update(
            index_elements=["case_id", "other_id"],
            set_={k: values[k] for k in ("tie", "linked_at", "linked_by")},
        )
    )
    for one, there in ((first, second), (second, first)):
        note_event(work, Subject.CASE, one, RecordLog.CASE_LINKED, case=str(there), tie=tie.value)


async def _lock_any(work: Work, staff: Staff, case_id: UUID) -> Case:
    return await lock_writable(work, staff, Case, case_id)


async def unlink_cases(work: Work, staff: Staff, case_id: UUID, other_id: UUID) -> None:
    """Remove a link. Raises NotFound."""
    await lock_open(work, staff, case_id)
    first, second = sorted((case_id, other_id))
    result: Any = await work.session.execute(
        delete(CaseLink).where(CaseLink.case_id == first, CaseLink.other_id == second)
    )
    if not result.rowcount:
        raise NotFound("These cases are not linked.")
    note_event(work, Subject.CASE, case_id, RecordLog.CASE_UNLINKED, case=str(other_id))
    note_event(work, Subject.CASE, other_id, RecordLog.CASE_UNLINKED, case=str(case_id))


async def linked_cases(work: Work, staff: Staff, case_id: UUID) -> list[Linked]:
    """Return the cases that a case is linked to, oldest first."""
    rows = await work.session.execute(
        select(Case, CaseLink.tie, reads_case(staff))
        .join(CaseLink, or_(CaseLink.case_id == Case.id, CaseLink.other_id == Case.id))
        .where(or_(CaseLink.case_id == case_id, CaseLink.other_id == case_id), Case.id != case_id)
        .order_by(Case.opened_at)
    )
    return [Linked(case, CaseTie(tie), bool(mine)) for case, tie, mine in rows]
