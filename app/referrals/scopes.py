"""Who may see which referral: every query begins with one of these conditions."""

from uuid import UUID

from sqlalchemy import ColumnElement, exists, false, or_, select, true

from app.contacts.models import ContactReader
from app.contacts.scopes import Reader, lock_writable, scope
from app.errors import NotFound
from app.referrals.models import Referral
from app.routing.models import Offer, OfferState
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work


def reads_referral(staff: Staff | Reader) -> ColumnElement[bool]:
    """Limit to the referrals that a member of staff may read.

    These are their own, those they opened, and those of contacts they read; for a supervisor also
    the team's; for a referral officer all.
    """
    if not may(staff.role, Permission.SEE_REFERRALS):
        return false()
    if may(staff.role, Permission.SEE_ALL_REFERRALS):
        return true()
    mine = or_(
        Referral.owner_id == staff.id,
        Referral.opened_by == staff.id,
        exists().where(
            ContactReader.staff_id == staff.id, ContactReader.contact_id == Referral.contact_id
        ),
        # The counsellor who is talking with the caller now.
        exists().where(
            Offer.counsellor_id == staff.id,
            Offer.call_id == Referral.call_id,
            Offer.released_at.is_(None),
            or_(Offer.state == OfferState.ACCEPTED, Offer.state == OfferState.CONNECTED),
        ),
    )
    if may(staff.role, Permission.READ_TEAM_RECORDS):
        return or_(mine, Referral.team == staff.team)
    return mine


def writes_referral(staff: Staff | Reader) -> ColumnElement[bool]:
    """Limit to the referrals that a member of staff may change.

    These are their own; for a supervisor also the team's; for a referral officer all.
    """
    if not may(staff.role, Permission.WRITE_REFERRALS):
        return false()
    if may(staff.role, Permission.SEE_ALL_REFERRALS):
        return true()
    if may(staff.role, Permission.READ_TEAM_RECORDS):
        return or_(Referral.owner_id == staff.id, Referral.team == staff.team)
    return Referral.owner_id == staff.id


scope(Referral, reads_referral, writes_referral)


async def lock_own(work: Work, staff: Staff, referral_id: UUID) -> Referral:
    """Return a referral that the person may change, locked. Raises NotFound."""
    return await lock_writable(work, staff, Referral, referral_id)


async def lock_referral(work: Work, referral_id: UUID) -> Referral:
    """Return a referral, locked, for the program and for agencies' replies. Raises NotFound."""
    statement = select(Referral).where(Referral.id == referral_id)
    found = await work.session.scalar(
        statement.with_for_update().execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("There is no such referral.")
    return found
