"""What became of an attempt to reach an agency, and whether it is still needed."""

from sqlalchemy import select

from app.outbox.channels import ChannelKind
from app.referrals.channels.models import Attempt
from app.referrals.directory.models import Agency
from app.referrals.escalation.trying import escalate_on
from app.referrals.log_kinds import LogKind
from app.referrals.models import Recipient, Referral
from app.referrals.states import (
    UNACKNOWLEDGED,
    AttemptResult,
    ForWhom,
    NoticeKind,
    Purpose,
    RecipientState,
    ReferralEvent,
    ReferralState,
)
from app.referrals.trail import By, Via, add_notice, can, move, note
from app.work import Work

_NOT_REACHED = frozenset(
    {
        AttemptResult.NO_ANSWER,
        AttemptResult.BUSY,
        AttemptResult.MACHINE,
        AttemptResult.NO_KEY,
        AttemptResult.UNREACHABLE,
        AttemptResult.FAILED,
        AttemptResult.WRONG_NUMBER,
        AttemptResult.NOT_CONFIRMED,
    }
)


async def note_result(
    work: Work, referral: Referral, attempt: Attempt, result: AttemptResult
) -> None:
    """Record the result of one attempt. If no person was reached, go on at once."""
    if attempt.ended_at is not None and attempt.result is not None:
        return
    attempt.result, attempt.ended_at, attempt.payload_sealed = result.value, work.now, None
    agency = await work.session.get(Agency, attempt.agency_id)
    assert agency is not None
    note(
        work,
        referral,
        LogKind.RUNG,
        By(Via.PROGRAM, agency.code),
        attempt=attempt.number,
        way=attempt.kind,
        purpose=attempt.purpose,
        result=result.value,
    )
    if attempt.purpose != Purpose.ESCALATION:
        if result in (AttemptResult.FAILED, AttemptResult.UNREACHABLE):
            add_notice(
                work,
                referral,
                NoticeKind.UNDELIVERED,
                for_whom=ForWhom.OWNER,
                agency=agency.code,
                purpose=attempt.purpose,
            )
        return
    if result is AttemptResult.DELIVERED:
        await _delivered(work, referral, attempt)
        return
    if result not in _NOT_REACHED or attempt.turn != referral.turn or referral.escalates_at is None:
        return
    if attempt.kind != ChannelKind.PHONE and await _other_way_open(work, referral, attempt):
        return
    # A failed phone attempt is over; of two messages, neither is on its way any more.
    await escalate_on(work, referral)


async def _other_way_open(work: Work, referral: Referral, attempt: Attempt) -> bool:
    """Return whether the other of two messages has arrived or may still arrive."""
    await work.session.flush()
    found = await work.session.scalar(
        select(Attempt.id)
        .where(
            Attempt.referral_id == referral.id,
            Attempt.turn == attempt.turn,
            Attempt.purpose == Purpose.ESCALATION,
            Attempt.id != attempt.id,
            (Attempt.result.is_(None)) | (Attempt.result == AttemptResult.DELIVERED),
        )
        .limit(1)
    )
    return found is not None


async def _delivered(work: Work, referral: Referral, attempt: Attempt) -> None:
    """Record that a message has arrived at the agency; that is not yet an acknowledgement."""
    if attempt.recipient_id is None or attempt.recipient_id != referral.recipient_id:
        return
    recipient = await work.session.get(Recipient, attempt.recipient_id)
    assert recipient is not None
    if recipient.state == RecipientState.OFFERED:
        recipient.state, recipient.delivered_at = RecipientState.DELIVERED.value, work.now
    if can(referral, ReferralEvent.DELIVER):
        move(work, referral, ReferralEvent.DELIVER, By(Via.PROGRAM), way=attempt.kind)


def is_needed(referral: Referral, attempt: Attempt) -> bool:
    """Return whether this attempt still has a person to reach."""
    if attempt.purpose == Purpose.ESCALATION:
        state = ReferralState(referral.state)
        return state in UNACKNOWLEDGED and state is not ReferralState.DRAFT
    if attempt.purpose in (Purpose.WITHDRAWN, Purpose.RECALLED):
        return True
    return referral.closed_at is None
