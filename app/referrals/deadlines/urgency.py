"""Raise or lower the urgency of a referral: its deadlines and its escalation follow."""

from datetime import datetime
from uuid import UUID

from app.database.topics import Topic
from app.definitions.risk import Urgency
from app.errors import Code, Invalid
from app.referrals.consent.consenting import basis_of
from app.referrals.deadlines import tracking
from app.referrals.escalation.trying import begin
from app.referrals.log_kinds import LogKind
from app.referrals.models import Recipient, Referral
from app.referrals.protocol import From
from app.referrals.replies import details
from app.referrals.scopes import lock_own
from app.referrals.states import OVER, UNACKNOWLEDGED, NoticeKind, ReferralState
from app.referrals.trail import By, NotPossible, Via, add_notice, note
from app.staff.models import Staff
from app.work import Work

_ORDER = list(Urgency)


async def change_urgency(
    work: Work, staff: Staff, referral_id: UUID, urgency: Urgency, reason: str
) -> Referral:
    """Change the urgency of a referral that is not over, with the reason.

    Deadlines keep the moment from which they run and get the protocol's time of the new urgency.
    If the urgency is raised, an unacknowledged referral is escalated from the beginning. If it is
    lowered from immediate, the supervisors are told. Raises NotFound, NotPossible, Invalid.
    """
    referral = await lock_own(work, staff, referral_id)
    state = ReferralState(referral.state)
    if state in OVER or state is ReferralState.COMPLETED:
        raise NotPossible("This referral is done: its urgency stays as it was.")
    if not reason.strip() or len(reason) > 4000 or "\x00" in reason:
        raise Invalid("Write why the urgency changes, in at most 4000 characters.")
    before = Urgency(referral.urgency)
    if urgency is before:
        raise Invalid(
            "This referral is %(urgency)s already. Choose another urgency.", urgency=Code(urgency)
        )
    basis = await basis_of(work, referral)
    if basis is not None and basis not in tracking.protocol_of(work, referral).rule(urgency).bases:
        raise Invalid(
            "This referral is made without consent, on the ground of %(basis)s, which the "
            "protocol does not allow for %(urgency)s. Record consent or another ground "
            "first.",
            basis=Code(basis),
            urgency=Code(urgency),
        )
    referral.urgency, referral.urgency_at = urgency.value, work.now
    note(
        work,
        referral,
        LogKind.URGENCY_CHANGED,
        By(Via.BY_HAND),
        words=reason,
        **{"from": before.value, "to": urgency.value},
    )
    await tracking.follow_urgency(work, referral, await _moments(work, referral))
    raised = _ORDER.index(urgency) < _ORDER.index(before)
    if raised and state in UNACKNOWLEDGED and state is not ReferralState.DRAFT:
        referral.escalation_round += 1
        await begin(work, referral)
    if not raised and before is Urgency.IMMEDIATE:
        add_notice(work, referral, NoticeKind.URGENCY_LOWERED, author=staff.id, to=urgency.value)
    await details.announce_soon(work, referral)
    work.announce(Topic.DEADLINES)
    return referral


async def _moments(work: Work, referral: Referral) -> dict[From, datetime | None]:
    """Return the time of each moment from which a deadline can run."""
    accepted = referral.accepted_at
    if referral.recipient_id is not None:
        recipient = await work.session.get(Recipient, referral.recipient_id)
        assert recipient is not None
        accepted = recipient.accepted_at
    return {
        "opened": referral.opened_at,
        "acknowledged": referral.acknowledged_at,
        "accepted": accepted,
        "seen": referral.seen_at,
    }
