"""Matching the children of a case's contacts with those of the case: a colleague decides."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from app.contacts.cases.cases import contacts_in, lock_open
from app.contacts.cases.models import CaseContact, SameChild
from app.contacts.consent import withdrawals
from app.contacts.consent.same_child import link_child
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case, Contact, Filled
from app.contacts.registry import sheet_of
from app.contacts.sealed_answers import present
from app.contacts.states import Subject
from app.definitions.forms import Meaning
from app.errors import Invalid, NotFound
from app.staff.models import Staff
from app.work import Work


@dataclass(frozen=True)
class ChildInContact:
    """A child that a contact of the case describes, and the child of the case that it is."""

    contact_id: UUID
    contact: str
    entry: str
    # The position among the children of the contact, from 1, and the coded answers.
    number: int
    age: str
    gender: str
    # Whether it was matched, and with which entry of the case; None: not in this case.
    known: bool
    case_entry: str | None


def _entries(work: Work, record: Filled) -> list[str]:
    sheet = sheet_of(work, record)
    section = sheet.form.children
    return sheet.entries(present(record), section) if section is not None else []


def _coded(work: Work, contact: Contact, meaning: Meaning, entry: str) -> str:
    """Return an answer that is not sealed: no record is opened to tell two children apart."""
    paths = sheet_of(work, contact).form.paths_of(meaning, entry)
    found = next((contact.answers[path] for path in paths if path in contact.answers), "")
    return str(found)


async def children_in_contacts(work: Work, staff: Staff, case: Case) -> list[ChildInContact]:
    """Return the children in the case's contacts that the person may read, newest contact first."""
    rows = await work.session.scalars(select(SameChild).where(SameChild.case_id == case.id))
    said = {(row.contact_id, row.contact_entry): row for row in rows}
    return [
        ChildInContact(
            contact.id,
            contact.code,
            entry,
            number,
            _coded(work, contact, "child_age", entry),
            _coded(work, contact, "child_gender", entry),
            (contact.id, entry) in said,
            said[contact.id, entry].case_entry if (contact.id, entry) in said else None,
        )
        for contact in await contacts_in(work, staff, case)
        for number, entry in enumerate(_entries(work, contact), 1)
    ]


async def say_which_child(
    work: Work,
    staff: Staff,
    case_id: UUID,
    contact_id: UUID,
    contact_entry: str,
    *,
    case_entry: str | None,
) -> None:
    """Record which child of a case a child of its contact is; `case_entry` None: none of them.

    From then on a refusal of consent in one of the two records counts in both, because it is not
    known which was said later; a yes has to be asked for again. Raises NotFound, Invalid, and
    Conflict for a closed case.
    """
    case = await lock_open(work, staff, case_id)
    contact = await work.session.scalar(
        select(Contact)
        .join(CaseContact, CaseContact.contact_id == Contact.id)
        .where(CaseContact.case_id == case.id, Contact.id == contact_id)
    )
    if contact is None:
        raise NotFound("There is no such contact in this case.")
    if contact_entry not in _entries(work, contact):
        raise Invalid("There is no such child in the contact.")
    if case_entry is not None and case_entry not in _entries(work, case):
        raise Invalid("There is no such child in the case.")
    await link_child(work, case.id, case_entry, contact.id, contact_entry)
    note_event(
        work,
        Subject.CASE,
        case.id,
        RecordLog.CHILD_LINKED,
        contact_id=str(contact.id),
        contact_entry=contact_entry,
        case_entry=case_entry,
    )
    if case_entry is not None:
        for record in (case, contact):
            withdrawals.hear_again(work, record)
