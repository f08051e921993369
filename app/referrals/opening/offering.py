"""Offer a referral to one agency after the other; no agency hears of it in another way."""

from typing import NamedTuple
from uuid import UUID, uuid4

from app.errors import Invalid
from app.privacy.keys import CannotOpen
from app.referrals.channels.registry import systems_of
from app.referrals.channels.telling import recipients_of, tell_agency
from app.referrals.consent.consenting import given_of
from app.referrals.consent.rules import Addressee, NotConsented, ground_for
from app.referrals.deadlines import tracking
from app.referrals.directory.finding import Found
from app.referrals.directory.models import Agency
from app.referrals.directory.right_agency import find_right
from app.referrals.disclosures import addressee_of
from app.referrals.models import Recipient, Referral
from app.referrals.reasons import Barred, Fits, WhyNoAgency
from app.referrals.services import asked_by
from app.referrals.states import DeadlineKind, Purpose, RecipientState, ReferralEvent, Sector
from app.referrals.trail import By, move
from app.work import Work


class Following(NamedTuple):
    """The next right agency that may be told, or why there is none."""

    found: Found | None
    why: WhyNoAgency | Barred = WhyNoAgency.NONE_FITS
    # Set if an agency fits and may not be told.
    refusal: NotConsented | None = None


async def next_agency(
    work: Work, referral: Referral, *, fresh: bool = False, rather: UUID | None = None
) -> Following:
    """Return the agency to which a referral is offered next.

    With `fresh`, only one that was not asked before; `rather` comes first if it fits. There is none
    if what the referral asks for, or for what consent was given, cannot be opened.
    """
    try:
        given, asked = await given_of(work, referral), asked_by(work, referral)
    except CannotOpen:
        return Following(None)
    recipients = await recipients_of(work, referral.id)
    tried = {
        a.agency_id
        for a in recipients
        if fresh or a.round == referral.escalation_round or a.state == RecipientState.REJECTED
    }
    refused: NotConsented | None = None
    withheld = given.kept_from if given else ()
    for service in (*asked.first, asked.service):
        matches = await find_right(
            work,
            service,
            referral.place,
            referral.child_age,
            withheld_from=withheld,
            tried=tried,
        )
        for found in sorted(matches.right, key=lambda one: one.agency.id != rather):
            try:
                who = found.agency
                ground_for(given, Addressee(who.code, who.sector, who.services))
            except NotConsented as refusal:
                refused = refused or refusal
                continue
            return Following(found)
    return Following(None, refused.barred if refused else WhyNoAgency.NONE_FITS, refused)


async def offer_to(
    work: Work, referral: Referral, agency_id: UUID, why: tuple[Fits, ...], by: By
) -> Recipient:
    """Offer a locked referral to an agency; the agency before it no longer has it.

    Raises Invalid, and NotConsented or a subclass; then nothing has changed.
    """
    agency = await work.session.get(Agency, agency_id)
    assert agency is not None
    if agency.sector == Sector.OWN_HOUSE:
        raise Invalid("Our own people are part of every escalation. Choose an agency.")
    given = await given_of(work, referral)
    # The only place where an agency first hears of a referral.
    ground = ground_for(given, addressee_of(agency))
    await leave_current(work, referral)
    recipient, new = await _recipient_to(work, referral, agency, why)
    referral.recipient_id, referral.agency_id = recipient.id, agency.id
    referral.sent_at = referral.sent_at or work.now
    move(
        work,
        referral,
        ReferralEvent.SEND,
        by,
        recipient=agency.code,
        ground=ground.stored(),
        why=[one.value for one in why],
    )
    if new:
        for system in systems_of(agency):
            await system.offer(work, referral, agency, recipient)
    return recipient


async def _recipient_to(
    work: Work, referral: Referral, agency: Agency, why: tuple[Fits, ...]
) -> tuple[Recipient, bool]:
    """Return the recipient row of an agency: the earlier one if it never replied, else a new one.

    The second value is True for a new row.
    """
    known = await recipients_of(work, referral.id)
    waiting = (RecipientState.OFFERED, RecipientState.DELIVERED, RecipientState.UNANSWERED)
    for earlier in known:
        if earlier.agency_id == agency.id and earlier.state in waiting:
            earlier.state, earlier.round = RecipientState.OFFERED.value, referral.escalation_round
            return earlier, False
    recipient = Recipient(
        id=uuid4(),
        referral_id=referral.id,
        agency_id=agency.id,
        number=max((a.number for a in known), default=0) + 1,
        round=referral.escalation_round,
        state=RecipientState.OFFERED.value,
        why=[one.value for one in why],
        offered_at=work.now,
    )
    work.session.add(recipient)
    await work.session.flush()
    return recipient, True


async def leave_current(work: Work, referral: Referral) -> None:
    """Mark the agency that is being asked as unanswered; its late reply still counts."""
    if referral.recipient_id is None:
        return
    current = await work.session.get(Recipient, referral.recipient_id)
    if current is not None and current.state in (RecipientState.OFFERED, RecipientState.DELIVERED):
        current.state = RecipientState.UNANSWERED.value
    referral.recipient_id = referral.agency_id = None


async def take_away(work: Work, referral: Referral) -> None:
    """Take a referral from its holder: the duty is open again, with its old deadline."""
    referral.held_by_staff = False
    referral.accepted_at = referral.completed_at = referral.outcome = None
    if referral.recipient_id is not None:
        recipient = await work.session.get(Recipient, referral.recipient_id)
        assert recipient is not None
        recipient.state, recipient.ended_at = RecipientState.WITHDRAWN.value, work.now
        await tell_agency(work, referral, recipient, Purpose.RECALLED)
    if referral.written_at is not None:
        # The next agency has not had the written form yet.
        referral.written_at = None
        await tracking.run_on(work, referral, DeadlineKind.WRITTEN)
    if referral.seen_at is None:
        await tracking.run_on(work, referral, DeadlineKind.SEEN)
    await tracking.run_on(work, referral, DeadlineKind.ACKNOWLEDGE)
    await tracking.stop(
        work, referral, DeadlineKind.HAND_OVER, DeadlineKind.DETAILS, DeadlineKind.FEEDBACK
    )
