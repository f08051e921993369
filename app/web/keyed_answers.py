"""Who may read what a caller who cannot speak answered by key: it is part of what a child told."""

from typing import Any
from uuid import UUID

from app.calls.log_kinds import CallLog
from app.calls.models import RecordedEvent
from app.contacts import contacts
from app.routing import desk
from app.staff.models import Staff
from app.work import Work

# Where the log of a call holds the answer.
_ANSWER = "answered"


async def may_read_answers(work: Work, staff: Staff, call_id: UUID) -> bool:
    """Return whether a person has the call in hand, or may read its record."""
    if await desk.has_in_hand(work, staff, call_id):
        return True
    return await contacts.contact_of_call(work, staff, call_id) is not None


def without_answer(event: RecordedEvent) -> dict[str, Any]:
    """Return the details of an event of a call, without what the caller answered."""
    if event.kind != CallLog.QUESTION_ANSWERED:
        return event.detail
    return {name: value for name, value in event.detail.items() if name != _ANSWER}
