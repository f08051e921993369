"""Deadlines that were missed, and how the escalation goes on then."""

from app.definitions.risk import Urgency
from app.referrals.channels.attempts import end_attempts
from app.referrals.deadlines import tracking
from app.referrals.escalation.trying import begin, go_to, rest
from app.referrals.models import Recipient, Referral
from app.referrals.opening.offering import leave_current, next_agency, take_away
from app.referrals.reasons import WhyNoAgency
from app.referrals.states import DeadlineKind, RecipientState, ReferralEvent
from app.referrals.trail import PROGRAM_ITSELF, can, move
from app.work import Work


async def breached(work: Work, referral: Referral, kind: DeadlineKind) -> None:
    """Act on a missed deadline: an urgent referral without a reply goes to the next agency."""
    if kind == DeadlineKind.HAND_OVER and referral.held_by_staff:
        await _take_back_from_staff(work, referral)
    elif kind == DeadlineKind.DETAILS and can(referral, ReferralEvent.LAPSE):
        await _details_not_opened(work, referral)
    elif (
        kind == DeadlineKind.ACKNOWLEDGE
        and referral.urgency != Urgency.IMMEDIATE
        and referral.escalates_at is not None
    ):
        # An immediate referral escalates all the time; any other waits for its deadline.
        found = (await next_agency(work, referral, fresh=True)).found
        if found is not None:
            await go_to(work, referral, found.agency.id, found.fits, PROGRAM_ITSELF)
        elif referral.urgency != Urgency.URGENT and can(referral, ReferralEvent.EXPIRE):
            await _expire(work, referral)


async def _expire(work: Work, referral: Referral) -> None:
    """Expire a referral that is not urgent: its owner decides, and a late reply still counts."""
    move(work, referral, ReferralEvent.EXPIRE, PROGRAM_ITSELF)
    await leave_current(work, referral)
    await end_attempts(work, referral)
    rest(referral)


async def _details_not_opened(work: Work, referral: Referral) -> None:
    """Resume the escalation: an agency acknowledged and has not opened the details in time.

    Its phones are rung first. It may still reply until another agency takes the referral.
    """
    assert referral.recipient_id is not None
    recipient = await work.session.get(Recipient, referral.recipient_id)
    assert recipient is not None
    move(work, referral, ReferralEvent.LAPSE, PROGRAM_ITSELF)
    recipient.state = RecipientState.OFFERED.value
    referral.acknowledged_at = None
    await tracking.run_on(work, referral, DeadlineKind.ACKNOWLEDGE)
    await tracking.stop(work, referral, DeadlineKind.DETAILS)
    referral.escalation_round += 1
    recipient.round = referral.escalation_round
    await begin(work, referral)


async def _take_back_from_staff(work: Work, referral: Referral) -> None:
    """Restart the escalation: our supervisor has the referral, and no agency took it in time."""
    move(work, referral, ReferralEvent.REDIRECT, PROGRAM_ITSELF, why=WhyNoAgency.NONE_IN_TIME)
    await take_away(work, referral)
    referral.escalation_round += 1
    await begin(work, referral)
