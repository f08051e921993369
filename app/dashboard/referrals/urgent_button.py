"""The urgent button on the desk, and the referrals made from the present call."""

from typing import Any
from uuid import UUID

from fastapi import Request

from app.contacts.consent.said import wish_in_words
from app.contacts.models import Contact
from app.contacts.registry import sheet_of
from app.dashboard.records.lists import places_of
from app.referrals import reading
from app.referrals.states import Service
from app.staff.models import Staff
from app.work import Work

# Services that a person in danger needs now. All others are referred from the contact.
URGENT_SERVICES = [
    Service.POLICE,
    Service.EMERGENCY_MEDICAL,
    Service.CHILD_PROTECTION,
    Service.SHELTER,
    Service.MOBILE_OUTREACH,
    Service.MISSING_CHILD,
    Service.MENTAL_HEALTH,
]


async def button_values(
    request: Request,
    work: Work,
    staff: Staff,
    call_id: UUID | None,
    contact: Contact | None,
    *,
    has_some: bool = True,
) -> dict[str, Any]:
    """Return the values of the urgent button, and the referrals made from the present call, if it
    `has_some`."""
    if call_id is None:
        return {"desk_referrals": []}
    withheld = contact is not None and wish_in_words(contact, sheet_of(work, contact))
    return {
        "urgent_withheld": withheld,
        "desk_referrals": await reading.referred_from(work, staff, call_id=call_id)
        if has_some
        else [],
        "urgent_services": URGENT_SERVICES,
        "places": places_of(request, work),
    }
