"""Send a referral to the right agency, or to a named one."""

from uuid import UUID

from app.contacts.registry import sheet_of
from app.definitions.forms import Form
from app.definitions.risk import Urgency
from app.errors import Conflict, Invalid, NotFound
from app.referrals.consent.consenting import given_of
from app.referrals.consent.rules import NotConsented
from app.referrals.directory.models import Agency
from app.referrals.escalation.trying import begin
from app.referrals.models import Referral
from app.referrals.opening import siblings
from app.referrals.opening.offering import next_agency, offer_to
from app.referrals.reasons import Barred, Fits, WhyNoAgency
from app.referrals.states import NoticeKind, ReferralEvent, ReferralState, Sector
from app.referrals.trail import By, NotPossible, add_notice, move
from app.work import Work


class NoAgency(Conflict):
    default = "No agency in the directory fits. Choose one by hand, or add one to the directory."


class PlaceNotConfirmed(Conflict):
    default = (
        "Only the place where the child lives is known. Confirm that the child is there, or enter "
        "where it is now: the agency is chosen by that place."
    )


async def send(work: Work, referral: Referral, by: By, *, agency_id: UUID | None = None) -> None:
    """Send a locked draft to `agency_id`, or to the right agency, and start the escalation.

    Brothers and sisters go to the same agency if it fits, and its phone is rung once for them.
    Raises NotConsented or a subclass, PlaceNotConfirmed, NoAgency, NotFound, Invalid, NotPossible;
    then nothing was sent.
    """
    if referral.state != ReferralState.DRAFT:
        raise NotPossible("This referral was sent already.")
    if await given_of(work, referral) is None:
        raise NotConsented()
    _check_place(referral, sheet_of(work, referral).form, by_hand=agency_id is not None)
    first = await siblings.asked_first(work, referral)
    if agency_id is not None:
        await check_can_be_sent_to(work, agency_id)
        await offer_to(work, referral, agency_id, (Fits.BY_HAND,), by)
    else:
        following = await next_agency(work, referral, rather=first)
        if following.found is not None:
            found = following.found
            fits = found.fits
            if found.agency.id == first:
                fits = (*fits, Fits.SIBLING)
            await offer_to(work, referral, found.agency.id, fits, by)
        elif following.refusal is not None:
            # An agency fits and may not be told: the sender can ask for consent or override it.
            raise following.refusal
        else:
            await _none_fits(work, referral, following.why, by)
    together = first is not None and referral.agency_id == first
    if together:
        await siblings.join_ring(work, referral)
    await begin(work, referral, after=siblings.PATIENCE if together else None)


def _check_place(referral: Referral, form: Form, *, by_hand: bool) -> None:
    """Check that a person confirmed the place, unless urgent. Raises PlaceNotConfirmed."""
    waits = referral.urgency not in (Urgency.IMMEDIATE, Urgency.URGENT) and not by_hand
    if waits and form.path_of("place") in referral.to_confirm:
        raise PlaceNotConfirmed()


async def check_can_be_sent_to(work: Work, agency_id: UUID) -> None:
    """Check that an agency exists and is not our own staff. Raises NotFound, Invalid."""
    agency = await work.session.get(Agency, agency_id)
    if agency is None:
        raise NotFound("This agency is not in the directory.")
    if agency.sector == Sector.OWN_HOUSE:
        raise Invalid("Our own people are part of every escalation. Choose an agency.")


async def _none_fits(work: Work, referral: Referral, why: WhyNoAgency | Barred, by: By) -> None:
    """Pass an urgent referral on to our own people, since no agency fits. Raises NoAgency."""
    if referral.urgency not in (Urgency.IMMEDIATE, Urgency.URGENT):
        raise NoAgency()
    move(work, referral, ReferralEvent.FAIL, by, why=why)
    add_notice(work, referral, NoticeKind.NO_AGENCY_LEFT, why=why)
