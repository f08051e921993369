"""Flags: notices shown first in a case, until they are lowered or their last day is over."""

from datetime import date
from typing import NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, or_, select

from app.calls.models import Call
from app.contacts.cases.models import CaseContact, CaseFlag
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case, Contact
from app.contacts.records import Opened
from app.contacts.registry import library_of
from app.contacts.scopes import lock_writable, reads_case
from app.contacts.states import FlagAbout, Subject
from app.errors import Conflict, Invalid, NotFound
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work


class Flag(NamedTuple):
    """A flag that is up, with its words and the name of the colleague who raised it."""

    flag: CaseFlag
    words: str
    raised_by: str


def _today(work: Work) -> date:
    return work.now.astimezone(ZoneInfo(library_of(work.ground).country.timezone)).date()


def is_up(today: date) -> ColumnElement[bool]:
    """Return the condition that a flag is shown on a local day of the country."""
    return CaseFlag.lowered_at.is_(None) & or_(
        CaseFlag.last_on.is_(None), CaseFlag.last_on >= today
    )


async def raise_flag(
    work: Work, staff: Staff, case_id: UUID, about: FlagAbout, words: str, last_on: date | None
) -> CaseFlag:
    """Raise a flag. `last_on` is the last local day on which it is shown.

    Raises NotFound, Invalid.
    """
    if not words.strip() or len(words) > 500 or "\x00" in words:
        raise Invalid("Write what a colleague has to know, in 1 to 500 characters.")
    if last_on is not None and last_on < _today(work):
        raise Invalid("The last day must be today or later.")
    case = await lock_writable(work, staff, Case, case_id)
    flag_id = uuid4()
    flag = CaseFlag(
        id=flag_id,
        case_id=case.id,
        about=about.value,
        last_on=last_on,
        raised_at=work.now,
        raised_by=staff.id,
        words_sealed=work.keys.seal(
            words.strip().encode(), table="case_flags", column="words_sealed", row=flag_id
        ),
    )
    work.session.add(flag)
    note_event(
        work,
        Subject.CASE,
        case.id,
        RecordLog.FLAG_RAISED,
        words=words.strip(),
        flag=str(flag_id),
        about=about.value,
    )
    return flag


async def lower_flag(work: Work, staff: Staff, flag_id: UUID) -> None:
    """Lower a flag. Raises NotFound, Conflict."""
    case_id = await work.session.scalar(select(CaseFlag.case_id).where(CaseFlag.id == flag_id))
    if case_id is None:
        raise NotFound("Not found, or you do not have access.")
    await lock_writable(work, staff, Case, case_id)
    flag = await work.session.get(CaseFlag, flag_id, with_for_update=True)
    assert flag is not None
    if flag.lowered_at is not None:
        raise Conflict("The flag was lowered already.")
    flag.lowered_at, flag.lowered_by = work.now, staff.id
    note_event(
        work, Subject.CASE, case_id, RecordLog.FLAG_LIFTED, flag=str(flag_id), about=flag.about
    )


async def flags_of(opened: Opened[Case]) -> list[Flag]:
    """Return the flags of a case that are up, newest first."""
    work = opened.work
    rows = await work.session.execute(
        select(CaseFlag, Staff.name)
        .join(Staff, Staff.id == CaseFlag.raised_by)
        .where(CaseFlag.case_id == opened.id, is_up(_today(work)))
        .order_by(CaseFlag.raised_at.desc())
    )
    return [
        Flag(
            flag,
            opened.words(flag.words_sealed, table="case_flags", column="words_sealed", row=flag.id),
            name,
        )
        for flag, name in rows
    ]


async def forbids_ringing(work: Work, staff: Staff, caller_key: bytes | None) -> bool:
    """Return whether a case with a contact of a number says that the child is not to be rung; the
    number is given by its keyed hash. A case that the person may not read says nothing; that one
    was found is logged first."""
    if caller_key is None:
        return False
    rows = await work.session.scalars(
        select(CaseFlag.case_id)
        .join(Case, Case.id == CaseFlag.case_id)
        .join(CaseContact, CaseContact.case_id == Case.id)
        .join(Contact, Contact.id == CaseContact.contact_id)
        .join(Call, Call.id == Contact.call_id)
        .where(
            Call.caller_key == caller_key,
            CaseFlag.about == FlagAbout.DO_NOT_RING,
            is_up(_today(work)),
            reads_case(staff),
        )
        .distinct()
    )
    found = [str(case_id) for case_id in rows]
    if found:
        await write_reading(work, AuditLog.RECORDS_LISTED, "cases", by=["caller"], ids=found)
    return bool(found)


async def flagged(work: Work, case_ids: list[UUID]) -> dict[UUID, list[str]]:
    """Return what the flags of some cases are about, for lists; nothing is unsealed."""
    rows = await work.session.execute(
        select(CaseFlag.case_id, func.array_agg(CaseFlag.about.distinct()))
        .where(CaseFlag.case_id.in_(case_ids), is_up(_today(work)))
        .group_by(CaseFlag.case_id)
    )
    return {case_id: list(abouts) for case_id, abouts in rows}
