"""Withdraw a referral from agencies that may no longer be told about it."""

from uuid import UUID

from app.referrals.channels.telling import recipients_of, tell_agency
from app.referrals.consent.consenting import given_of
from app.referrals.consent.rules import Given, NotConsented, ground_for
from app.referrals.directory.models import Agency
from app.referrals.disclosures import addressee_of
from app.referrals.log_kinds import LogKind
from app.referrals.models import Referral
from app.referrals.opening.offering import take_away
from app.referrals.reasons import Barred
from app.referrals.replies import replying
from app.referrals.states import (
    LIVE_RECIPIENT,
    Purpose,
    RecipientState,
    ReferralEvent,
    ReferralState,
)
from app.referrals.trail import By, Via, move, note
from app.work import Work


async def let_go_of_who_may_not(work: Work, referral: Referral, before: Given | None) -> None:
    """Tell every agency that may no longer be told so, and take no reply from it from now on.

    This includes the agency that has the referral and those that could still reply late.
    """
    given, current, told = await given_of(work, referral), referral.recipient_id, set[UUID]()
    goes_on = False
    for recipient in await recipients_of(work, referral.id):
        agency = await work.session.get(Agency, recipient.agency_id)
        assert agency is not None
        why = _barred(given, agency)
        if why is None or _barred(before, agency) is not None:
            continue
        by = By(Via.BY_HAND, agency.code)
        if recipient.id == current and referral.state != ReferralState.COMPLETED:
            move(work, referral, ReferralEvent.REDIRECT, by, why=why)
            await take_away(work, referral)
            referral.recipient_id = referral.agency_id = None
            goes_on = True
        else:
            # The referral stays where it is, or is completed: nothing is offered again.
            if RecipientState(recipient.state) in (*LIVE_RECIPIENT, RecipientState.UNANSWERED):
                recipient.state, recipient.ended_at = RecipientState.WITHDRAWN.value, work.now
            again = agency.id in told
            await tell_agency(work, referral, recipient, Purpose.RECALLED, again=again)
            note(work, referral, LogKind.ASKED_NO_LONGER, by, why=why)
        told.add(agency.id)
    if goes_on:
        await replying.on_to_the_next(work, referral)


def _barred(given: Given | None, agency: Agency) -> Barred | None:
    try:
        ground_for(given, addressee_of(agency))
    except NotConsented as refusal:
        return refusal.barred
    return None
