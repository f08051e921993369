"""In which calls another than the child rang or wrote, as their contacts say.

A household shares a number. Only the contact of a call says who it was: if it says who the caller
is, or what they are to the child, it was not the child that the contact is about. Which other
person it was, and whether it is the one who asks, it does not say: that the officer makes sure of.
"""

from uuid import UUID

from sqlalchemy import select

from app.contacts.models import Contact
from app.contacts.records import Opened
from app.contacts.registry import UnknownDefinition, sheet_of
from app.contacts.sealed_answers import present
from app.definitions.forms import OF_REPORTER, Form, Meaning
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.work import Work

# What is asked about the caller only if it is not the child.
OF_CALLER: frozenset[Meaning] = OF_REPORTER | {"caller_relationship"}


def says_another(work: Work, contact: Contact) -> bool:
    """Return whether a contact says that another than the child rang or wrote.

    Nothing is opened: that something about the caller was answered is enough, or that it has to be,
    as in a draft in which only the kind of contact was chosen. Of a form that this server has not
    read, and of what a rule has erased, nothing is known, so it counts.
    """
    if contact.erased_at is not None:
        return True
    try:
        sheet = sheet_of(work, contact)
    except UnknownDefinition:
        return True
    answers = present(contact)
    return any(
        one.field.means in OF_CALLER and (one.required or answers.get(one.path) not in (None, ""))
        for one in sheet.asked(answers)
    )


async def by_another_than_child(work: Work, call_id: UUID) -> bool:
    """Return whether the contact of a call says what its caller is to the child.

    Each contact that is opened for it is logged first.
    """
    found = False
    for contact in await _contacts_of(work, call_id):
        form, answers = await _open(work, contact)
        paths = [form.path_of(meaning) for meaning in ("caller_relationship", "reporter_role")]
        found = found or any(path in answers for path in paths if path is not None)
    return found


async def by_hidden_reporter(work: Work, call_id: UUID) -> bool:
    """Return whether another than the child rang or wrote, and has not agreed to be named.

    Each contact that is opened for it is logged first.
    """
    for contact in await _contacts_of(work, call_id):
        if says_another(work, contact):
            form, answers = await _open(work, contact)
            if answers.get(form.path_of("reporter_agrees") or "") != "yes":
                return True
    return False


async def _contacts_of(work: Work, call_id: UUID) -> list[Contact]:
    contacts = await work.session.scalars(
        select(Contact).where(Contact.call_id == call_id, Contact.erased_at.is_(None))
    )
    return list(contacts)


async def _open(work: Work, contact: Contact) -> tuple[Form, dict[str, object]]:
    await write_reading(work, AuditLog.CONTACT_READ, f"contact:{contact.id}", reason="by_law")
    return sheet_of(work, contact).form, dict(Opened(work, contact).answers())
