"""Which calls are those of an adult who asks, and not of the child on the same telephone.

A household shares a number. Only the contact of a call says who rang: if it says what the caller is
to the child, it was not the child.
"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select

from app.calls.models import VoiceMessage
from app.contacts.models import Contact
from app.contacts.records import Opened
from app.contacts.registry import sheet_of
from app.routing.callbacks.callback_rows import Callback
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.work import Work


async def of_an_adult(work: Work, call_ids: Iterable[UUID]) -> set[UUID]:
    """Return which of these calls were made by another person than the child.

    Each contact that is opened for it is logged first.
    """
    contacts = await work.session.scalars(
        select(Contact).where(Contact.call_id.in_(list(call_ids)), Contact.erased_at.is_(None))
    )
    found: set[UUID] = set()
    for contact in contacts.all():
        await write_reading(work, AuditLog.CONTACT_READ, f"contact:{contact.id}", reason="by_law")
        form, answers = sheet_of(work, contact).form, Opened(work, contact).answers()
        paths = [form.path_of(meaning) for meaning in ("caller_relationship", "reporter_role")]
        if contact.call_id and any(path in answers for path in paths if path is not None):
            found.add(contact.call_id)
    return found


async def with_what_belongs_to(work: Work, calls: set[UUID]) -> set[UUID]:
    """Return calls, and their voice messages and call-backs."""
    found = set(calls)
    for model in (VoiceMessage, Callback):
        found |= set(await work.session.scalars(select(model.id).where(model.call_id.in_(calls))))
    return found
