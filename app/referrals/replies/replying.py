"""Replies to a referral, by agencies and by our own people: acknowledge, accept, reject, and so on.

Every reply comes through here, whatever its channel: the phone, the link, another system, or a
member of our staff who writes down what an agency said.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from app.definitions.risk import Urgency
from app.errors import Conflict, Invalid, NotFound, Refusal
from app.jobs.names import Task
from app.privacy.keeper.client import KeeperAway
from app.referrals.channels.attempts import end_attempts
from app.referrals.channels.models import Attempt
from app.referrals.channels.telling import (
    announce,
    call_off_teams,
    recipients_of,
    tell_agency,
    tell_recipients,
)
from app.referrals.deadlines import tracking
from app.referrals.directory.models import Agency
from app.referrals.escalation.trying import begin, go_to
from app.referrals.escalation.waiting import KEEPER_IS_BACK
from app.referrals.log_kinds import LogKind
from app.referrals.models import Recipient, Referral
from app.referrals.opening.offering import next_agency
from app.referrals.opening.siblings import ASKED, siblings_of
from app.referrals.replies import details
from app.referrals.scopes import lock_referral
from app.referrals.spoken import english, refusal
from app.referrals.states import (
    CAME_BACK,
    HELD,
    NOT_HELPED,
    OVER,
    AgencyEvent,
    AttemptResult,
    DeadlineKind,
    ForWhom,
    NoticeKind,
    Purpose,
    RecipientState,
    ReferralEvent,
    ReferralOutcome,
    ReferralState,
    RejectionReason,
    ToldHow,
)
from app.referrals.trail import PROGRAM_ITSELF, By, NotPossible, Via, add_notice, move, note
from app.work import Work

_E = ReferralEvent
# States in which an agency may still take the referral.
_STILL_ASKED = (RecipientState.OFFERED, RecipientState.DELIVERED, RecipientState.UNANSWERED)
_AT_ONCE = (Urgency.IMMEDIATE, Urgency.URGENT)


class TakenByAnother(Conflict):
    letter = "taken_by_another"
    default = english(letter)


class Over(Conflict):
    letter = "over"
    default = english(letter)


async def lock_recipient(work: Work, referral: Referral, recipient_id: UUID) -> Recipient:
    """Return one recipient of a locked referral. Raises NotFound."""
    recipient = await work.session.get(Recipient, recipient_id, populate_existing=True)
    if recipient is None or recipient.referral_id != referral.id:
        raise NotFound("There is no such referral.")
    return recipient


def too_late(referral: Referral, recipient: Recipient) -> Refusal | None:
    """Return why this agency can no longer reply, or None if it can."""
    if ReferralState(referral.state) in OVER or recipient.state == RecipientState.WITHDRAWN:
        return Over()
    if recipient.state in (RecipientState.REJECTED, RecipientState.COMPLETED):
        return refusal(Over, "replied")
    if ReferralState(referral.state) in HELD and referral.recipient_id not in (None, recipient.id):
        return TakenByAnother()
    if referral.state == ReferralState.COMPLETED:
        return TakenByAnother()
    return None


def _check_live(referral: Referral, recipient: Recipient) -> None:
    """Check that the agency can still reply. Raises Over, TakenByAnother."""
    refusal = too_late(referral, recipient)
    if refusal is not None:
        raise refusal


async def note_joined(work: Work, referral: Referral, recipient: Recipient, by: By) -> None:
    """Record that the duty phone that acknowledged joined the live call and heard the details."""
    note(work, referral, LogKind.JOINED_THE_LIVE_CALL, by)
    await details.note_opened(work, referral, recipient, ToldHow.IN_THE_TALK)


async def _announce(
    work: Work, referral: Referral, recipient: Recipient, event: AgencyEvent, by: By
) -> None:
    """Announce a reply to the agency's own system, unless the reply came from there."""
    if by.how is Via.SYSTEM:
        return
    agency = await work.session.get(Agency, recipient.agency_id)
    assert agency is not None
    await announce(work, referral, agency, event, how=by.how.value)


# -- acknowledging -----------------------------------------------------------------------------


async def acknowledge(
    work: Work,
    referral: Referral,
    recipient: Recipient,
    by: By,
    *,
    words: str = "",
    with_siblings: bool = True,
) -> str | None:
    """Record that a person at an agency has the referral: stop the escalation, send the details.

    Calling it twice changes nothing. An agency that takes one child also takes the brothers and
    sisters about whom it is being asked. Return the code of the details, to be read out, if `by`
    is a phone and the code can go no other way. Raises Over, TakenByAnother.
    """
    _check_live(referral, recipient)
    if ReferralState(referral.state) in HELD and referral.recipient_id == recipient.id:
        return None
    if referral.held_by_staff:
        # Our supervisor had it; now an agency has it.
        referral.held_by_staff = False
        note(work, referral, LogKind.HANDED_OVER_BY_STAFF, by)
    else:
        move(work, referral, _E.ACKNOWLEDGE, by, words=words)
    await _take(work, referral, recipient)
    recipient.state = RecipientState.ACKNOWLEDGED.value
    recipient.acknowledged_at = recipient.acknowledged_at or work.now
    if not with_siblings:
        # The person replied for another child, and is no longer on the phone to hear a code.
        by = By(Via.PROGRAM, by.agency)
    await _announce(work, referral, recipient, AgencyEvent.ACKNOWLEDGED, by)
    if not with_siblings:
        return await details.hand_out(work, referral, recipient, by)
    if await siblings_of(work, referral):
        work.defer(
            Task.TAKE_SIBLINGS,
            referral_id=str(referral.id),
            agency_id=str(recipient.agency_id),
            how=by.how.value,
            agency=by.agency,
        )
    return await details.hand_out(work, referral, recipient, by)


async def take_siblings(work: Work, referral_id: UUID, agency_id: UUID, by: By) -> None:
    """Acknowledge the brothers and sisters about whom the agency of the first child is asked."""
    first = await work.session.get(Referral, referral_id)
    assert first is not None
    answered_at = None
    if by.how is Via.PHONE:
        answered_at = await work.session.scalar(
            select(func.max(Attempt.answered_at)).where(
                Attempt.referral_id == referral_id, Attempt.result == AttemptResult.ACKNOWLEDGED
            )
        )
    for one in await siblings_of(work, first):
        referral = await lock_referral(work, one.id)
        if referral.agency_id != agency_id or ReferralState(referral.state) not in ASKED:
            continue
        if referral.withdrawal_at is not None or not _was_told(referral, answered_at):
            continue
        assert referral.recipient_id is not None
        recipient = await lock_recipient(work, referral, referral.recipient_id)
        await acknowledge(work, referral, recipient, by, with_siblings=False)


def _was_told(referral: Referral, answered_at: datetime | None) -> bool:
    """Return whether the person who answered the phone then was asked about this child, too."""
    return answered_at is None or (referral.sent_at is not None and referral.sent_at <= answered_at)


async def _take(work: Work, referral: Referral, recipient: Recipient) -> None:
    """Give the referral to the agency: end all other attempts and the earlier deadlines."""
    if referral.recipient_id != recipient.id:
        # The agency replied late, while another agency was being asked.
        referral.recipient_id, referral.agency_id = recipient.id, recipient.agency_id
    for other in await recipients_of(work, referral.id):
        if other.id == recipient.id or other.state not in _STILL_ASKED:
            continue
        if other.acknowledged_at is None:
            other.state = RecipientState.UNANSWERED.value
            continue
        # It acknowledged and did not open the details: tell it that another agency has taken over.
        other.state, other.ended_at = RecipientState.WITHDRAWN.value, work.now
        await tell_agency(work, referral, other, Purpose.RECALLED)
    referral.acknowledged_at = referral.acknowledged_at or work.now
    referral.escalates_at = None
    referral.turn += 1
    await end_attempts(work, referral)
    await tracking.stop(work, referral, DeadlineKind.ACKNOWLEDGE, DeadlineKind.HAND_OVER)
    await tracking.start_once(work, referral, "acknowledged")


async def acknowledge_by_staff(work: Work, referral: Referral, by: By) -> None:
    """Record that our supervisor or director has it; an agency must take it by a deadline."""
    if ReferralState(referral.state) in OVER:
        raise Over()
    if ReferralState(referral.state) in HELD:
        return
    move(work, referral, _E.ACKNOWLEDGE, by, held_by_staff=True)
    referral.held_by_staff = True
    referral.acknowledged_at = referral.acknowledged_at or work.now
    referral.recipient_id = referral.agency_id = None
    referral.escalates_at = None
    referral.turn += 1
    await end_attempts(work, referral)
    await tracking.stop(work, referral, DeadlineKind.ACKNOWLEDGE)
    await tracking.run_hand_over(work, referral)


async def accept(work: Work, referral: Referral, recipient: Recipient, by: By) -> None:
    """Record that the agency will act. Raises Over, TakenByAnother."""
    _check_live(referral, recipient)
    if recipient.accepted_at is not None and referral.recipient_id == recipient.id:
        return
    if ReferralState(referral.state) not in HELD:
        # Accepting includes acknowledging, also for an agency that replies late.
        await acknowledge(work, referral, recipient, by)
    elif referral.held_by_staff:
        await acknowledge(work, referral, recipient, by)
    move(work, referral, _E.ACCEPT, by)
    referral.accepted_at = recipient.accepted_at = work.now
    recipient.state = RecipientState.ACCEPTED.value
    await tracking.start_once(work, referral, "accepted")
    await _announce(work, referral, recipient, AgencyEvent.ACCEPTED, by)


async def reject(
    work: Work,
    referral: Referral,
    recipient: Recipient,
    reason: RejectionReason,
    by: By,
    *,
    words: str = "",
) -> None:
    """Record that the agency will not act. Raises Over, TakenByAnother.

    An urgent referral goes to the next agency at once, and its deadline stays as it was.
    """
    _check_live(referral, recipient)
    current = referral.recipient_id == recipient.id
    recipient.state, recipient.reason = RecipientState.REJECTED.value, reason.value
    recipient.ended_at = work.now
    if reason is RejectionReason.OUTSIDE_MANDATE:
        agency = await work.session.get(Agency, recipient.agency_id)
        assert agency is not None
        agency.doubted_at = agency.doubted_at or work.now
        add_notice(work, referral, NoticeKind.WRONG_SERVICE, agency=agency.code)
    if not current:
        note(work, referral, LogKind.REJECTED_TOO, by, words=words, reason=reason.value)
        return
    move(work, referral, _E.REJECT, by, words=words, reason=reason.value)
    referral.accepted_at = None
    referral.recipient_id = referral.agency_id = None
    await tracking.run_on(work, referral, DeadlineKind.ACKNOWLEDGE)
    await tracking.stop(work, referral, DeadlineKind.DETAILS)
    if referral.written_at is not None:
        # The next agency has not had the written form yet.
        referral.written_at = None
        await tracking.run_on(work, referral, DeadlineKind.WRITTEN)
    await _announce(work, referral, recipient, AgencyEvent.REJECTED, by)
    add_notice(
        work,
        referral,
        NoticeKind.REJECTED,
        for_whom=ForWhom.OWNER,
        reason=reason.value,
        agency=by.agency,
    )
    if referral.urgency in _AT_ONCE:
        await on_to_the_next(work, referral)


async def on_to_the_next(work: Work, referral: Referral) -> None:
    """Offer a locked referral that came back to the next right agency, or escalate it."""
    try:
        following = await next_agency(work, referral)
    except KeeperAway:
        # What the agency says counts at once; its job tries again until the keeper is back.
        await end_attempts(work, referral)
        await begin(work, referral, after=KEEPER_IS_BACK)
        return
    if following.found is not None:
        found = following.found
        await go_to(work, referral, found.agency.id, found.fits, PROGRAM_ITSELF)
        return
    note(work, referral, LogKind.NO_OTHER_AGENCY, PROGRAM_ITSELF, why=following.why)
    await end_attempts(work, referral)
    await begin(work, referral)


# -- acting ------------------------------------------------------------------------------------


async def progress(
    work: Work,
    referral: Referral,
    recipient: Recipient,
    by: By,
    *,
    seen_at: datetime | None = None,
    words: str = "",
) -> None:
    """Record the agency's progress; `seen_at` is when a person from the agency saw the child.

    Raises Invalid, Over, TakenByAnother.
    """
    _check_live(referral, recipient)
    if seen_at is not None and seen_at > work.now:
        raise refusal(Invalid, "seen_in_future")
    # People give times without seconds.
    if seen_at is not None and seen_at < referral.opened_at.replace(second=0, microsecond=0):
        raise refusal(Invalid, "seen_too_early")
    if ReferralState(referral.state) not in HELD or recipient.accepted_at is None:
        # An agency that acts has accepted.
        await accept(work, referral, recipient, by)
    told = {"seen_at": seen_at.isoformat()} if seen_at else {}
    move(work, referral, _E.PROGRESS, by, words=words, **told)
    recipient.state = RecipientState.IN_PROGRESS.value
    if seen_at is not None and referral.seen_at is None:
        referral.seen_at = recipient.seen_at = seen_at
        await tracking.stop(work, referral, DeadlineKind.SEEN)
        await tracking.start_once(work, referral, "seen")
    await _announce(work, referral, recipient, AgencyEvent.PROGRESS, by)


async def complete(
    work: Work,
    referral: Referral,
    recipient: Recipient,
    outcome: ReferralOutcome | None,
    by: By,
    *,
    words: str = "",
) -> None:
    """Record that the agency has done its part; our own people close the referral later.

    `outcome` is None if the agency did not say. Raises Over, TakenByAnother.
    """
    _check_live(referral, recipient)
    if ReferralState(referral.state) not in HELD or recipient.accepted_at is None:
        await accept(work, referral, recipient, by)
    told = outcome.value if outcome is not None else None
    move(work, referral, _E.COMPLETE, by, words=words, outcome=told)
    referral.outcome, referral.completed_at = told, work.now
    recipient.state, recipient.ended_at = RecipientState.COMPLETED.value, work.now
    await tracking.stop(work, referral, DeadlineKind.FOLLOW_UP, DeadlineKind.DETAILS)
    await tracking.run_feedback(work, referral)
    if outcome not in NOT_HELPED:
        # A child who was not helped still has to be seen.
        await tracking.stop(work, referral, DeadlineKind.SEEN)
    await _announce(work, referral, recipient, AgencyEvent.COMPLETED, by)
    add_notice(
        work, referral, NoticeKind.COMPLETED, for_whom=ForWhom.OWNER, agency=by.agency, reason=told
    )
    if outcome in NOT_HELPED:
        add_notice(work, referral, NoticeKind.COMPLETED, agency=by.agency, reason=told)


async def ask(work: Work, referral: Referral, recipient: Recipient, question: str, by: By) -> None:
    """Pass an agency's question on to the owner. Raises Invalid, Over, TakenByAnother."""
    _check_live(referral, recipient)
    if not question.strip():
        raise refusal(Invalid, "no_question")
    note(work, referral, LogKind.QUESTION, by, words=question)
    add_notice(work, referral, NoticeKind.QUESTION, for_whom=ForWhom.OWNER, agency=by.agency)


async def call_me_back(work: Work, referral: Referral, agency: Agency, by: By) -> None:
    """Tell the owner that a person at the duty phone wants a call-back first."""
    note(work, referral, LogKind.WANTS_TO_BE_CALLED_BACK, by)
    add_notice(work, referral, NoticeKind.CALL_BACK, for_whom=ForWhom.OWNER, agency=agency.code)


# -- our own staff -----------------------------------------------------------------------------


async def close(work: Work, referral: Referral, words: str, by: By) -> None:
    """Close a referral: our own staff find that enough was done. Raises NotPossible, Invalid."""
    if referral.state == ReferralState.ACKNOWLEDGED and not referral.held_by_staff:
        raise NotPossible(
            "An agency has this referral. First write what the agency has done, or recall the "
            "referral."
        )
    alone = referral.held_by_staff or ReferralState(referral.state) in CAME_BACK
    if alone and not words.strip():
        raise Invalid("Write why the referral is closed although no agency has taken it.")
    if referral.wants_feedback and referral.feedback_at is None and not words.strip():
        raise Invalid(
            "The professional who reported waits to hear the outcome. Tell them and record that "
            "first, or write here why they are not told."
        )
    move(work, referral, _E.CLOSE, by, words=words)
    await _end(work, referral)


async def recall(work: Work, referral: Referral, words: str, by: By) -> None:
    """Take a referral back, and tell every agency that heard of it.

    Raises NotPossible, Invalid.
    """
    if not words.strip():
        raise Invalid("Write why the referral is recalled.")
    move(work, referral, _E.RECALL, by, words=words)
    await _end(work, referral)
    await tell_recipients(work, referral, Purpose.RECALLED)


async def _end(work: Work, referral: Referral) -> None:
    referral.closed_at, referral.escalates_at = work.now, None
    referral.withdrawal_at = None
    referral.turn += 1
    await end_attempts(work, referral)
    await tracking.stop(work, referral)
    await call_off_teams(work, referral)


async def give_feedback(work: Work, referral: Referral, words: str, by: By) -> None:
    """Record that the professional who reported was told the outcome. Raises Invalid."""
    if not words.strip():
        raise Invalid("Write what you told, and to whom.")
    referral.feedback_at = referral.feedback_at or work.now
    note(work, referral, LogKind.FEEDBACK_GIVEN, by, words=words)
    await tracking.run_feedback(work, referral)
