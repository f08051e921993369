"""The numbers of calls whose records are held: what is known by a number alone stays with them.

A hold is about a record, and a flag or a wish is only about a number. So they are joined by the
calls of the held records.
"""

from typing import Any

from sqlalchemy import Select, or_, select

from app.calls.models import Call
from app.contacts.cases.models import CaseContact
from app.contacts.models import Contact
from app.referrals.models import Referral
from app.retention.models import LegalHold


def held_keys() -> Select[Any]:
    """Select the hashes of these numbers. A held record has the calls of all records with it."""
    held = select(LegalHold.subject_id).where(LegalHold.lifted_at.is_(None))
    of_referral = select(Referral.case_id).where(
        Referral.id.in_(held), Referral.case_id.is_not(None)
    )
    in_cases = select(CaseContact.contact_id).where(
        or_(CaseContact.case_id.in_(held), CaseContact.case_id.in_(of_referral))
    )
    referred = select(Referral.contact_id).where(
        Referral.id.in_(held), Referral.contact_id.is_not(None)
    )
    of_contacts = select(Contact.call_id).where(
        or_(Contact.id.in_(held), Contact.id.in_(in_cases), Contact.id.in_(referred))
    )
    urgent = select(Referral.call_id).where(Referral.id.in_(held))
    return select(Call.caller_key).where(
        Call.caller_key.is_not(None), or_(Call.id.in_(of_contacts), Call.id.in_(urgent))
    )
