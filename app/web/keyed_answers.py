"""Who may read what a caller who cannot speak answered by key: it is part of what a child told."""

from uuid import UUID

from app.contacts import contacts
from app.routing import in_hand
from app.staff.models import Staff
from app.work import Work


async def may_read_answers(work: Work, staff: Staff, call_id: UUID) -> bool:
    """Return whether a person has the call in hand, or may read its record."""
    if await in_hand.has_in_hand(work, staff, call_id):
        return True
    return await contacts.contact_of_call(work, staff, call_id) is not None
