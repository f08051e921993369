"""Which conversations another than the child has written, as their contacts say.

A household shares a number. Only the contact of a call says who wrote: if it says what the caller
is to the child, it was not the child that the contact is about. Which other person it was, and
whether it is the one who asks, it does not say: that the officer makes sure of.
"""

from uuid import UUID

from sqlalchemy import select

from app.contacts.models import Contact
from app.contacts.records import Opened
from app.contacts.registry import sheet_of
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.work import Work


async def by_another_than_child(work: Work, call_id: UUID) -> bool:
    """Return whether the contact of a call says that its caller was not the child.

    Each contact that is opened for it is logged first.
    """
    contacts = await work.session.scalars(
        select(Contact).where(Contact.call_id == call_id, Contact.erased_at.is_(None))
    )
    found = False
    for contact in contacts.all():
        await write_reading(work, AuditLog.CONTACT_READ, f"contact:{contact.id}", reason="by_law")
        form, answers = sheet_of(work, contact).form, Opened(work, contact).answers()
        paths = [form.path_of(meaning) for meaning in ("caller_relationship", "reporter_role")]
        found = found or any(path in answers for path in paths if path is not None)
    return found
