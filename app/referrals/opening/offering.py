"""Offer a referral to one agency after the other; no agency hears of it in another way."""

from typing import NamedTuple
from uuid import UUID, uuid4

from app.errors import Invalid
from app.referrals.channels.telling import announce_event, approaches_of, tell_agency
from app.referrals.consent.consenting import given_of
from app.referrals.consent.rules import NotConsented, Recipient, ground_for
from app.referrals.deadlines import tracking
from app.referrals.directory.agencies import find_right
from app.referrals.directory.finding import Found
from app.referrals.disclosures import recipient_of
from app.referrals.models import Agency, Approach, Counterpart, Referral
from app.referrals.states import ApproachState, ClockKind, Purpose, ReferralEvent, Sector
from app.referrals.trail import By, move
from app.work import Work


class Following(NamedTuple):
    """The next right agency that may be told, or why there is none."""

    found: Found | None
    why: str = ""
    # Set if an agency fits and may not be told.
    refusal: NotConsented | None = None


async def next_agency(
    work: Work, referral: Referral, *, fresh: bool = False, rather: UUID | None = None
) -> Following:
    """Return the agency to which a referral is offered next.

    With `fresh`, only one that was not asked before; `rather` comes first if it fits.
    """
    given = await given_of(work, referral)
    approaches = await approaches_of(work, referral.id)
    tried = {
        a.agency_id
        for a in approaches
        if fresh or a.round == referral.ladder_round or a.state == ApproachState.REJECTED
    }
    refused: NotConsented | None = None
    withheld = given.kept_from if given else ()
    for service in (*referral.family_first, referral.service):
        answer = await find_right(
            work,
            service,
            referral.place,
            referral.child_age,
            withheld_from=withheld,
            tried=tried,
        )
        for found in sorted(answer.right, key=lambda one: one.agency.id != rather):
            try:
                who = found.agency
                ground_for(given, Recipient(who.code, who.sector, who.services))
            except NotConsented as refusal:
                refused = refused or refusal
                continue
            return Following(found)
    why = refused.detail if refused else "no agency of the directory fits"
    return Following(None, why, refused)


async def offer_to(
    work: Work, referral: Referral, agency_id: UUID, why: tuple[str, ...], by: By
) -> Approach:
    """Offer a locked referral to an agency; the agency before it no longer has it.

    Raises Invalid, and NotConsented or a subclass; then nothing has changed.
    """
    agency = await work.session.get(Agency, agency_id)
    assert agency is not None
    if agency.sector == Sector.OWN_HOUSE:
        raise Invalid("Our own people are part of every escalation. Choose an agency.")
    given = await given_of(work, referral)
    # The only place where an agency first hears of a referral.
    ground = ground_for(given, recipient_of(agency))
    await leave_current(work, referral)
    approach, new = await _approach_to(work, referral, agency, why)
    referral.approach_id, referral.agency_id = approach.id, agency.id
    referral.sent_at = referral.sent_at or work.now
    move(
        work,
        referral,
        ReferralEvent.SEND,
        by,
        recipient=agency.code,
        ground=ground,
        why=list(why),
    )
    if new:
        await _tell_systems(work, referral, agency, approach)
    return approach


async def _approach_to(
    work: Work, referral: Referral, agency: Agency, why: tuple[str, ...]
) -> tuple[Approach, bool]:
    """Return the recipient row of an agency: the earlier one if it never replied, else a new one.

    The second value is True for a new row.
    """
    known = await approaches_of(work, referral.id)
    waiting = (ApproachState.OFFERED, ApproachState.DELIVERED, ApproachState.UNANSWERED)
    for earlier in known:
        if earlier.agency_id == agency.id and earlier.state in waiting:
            earlier.state, earlier.round = ApproachState.OFFERED.value, referral.ladder_round
            return earlier, False
    approach = Approach(
        id=uuid4(),
        referral_id=referral.id,
        agency_id=agency.id,
        number=max((a.number for a in known), default=0) + 1,
        round=referral.ladder_round,
        state=ApproachState.OFFERED.value,
        why=list(why),
        offered_at=work.now,
    )
    work.session.add(approach)
    await work.session.flush()
    return approach, True


async def _tell_systems(work: Work, referral: Referral, agency: Agency, approach: Approach) -> None:
    """Tell the agency's own systems of the referral, if it has any."""
    if agency.primero and agency.primero_password_sealed:
        work.session.add(
            Counterpart(
                approach_id=approach.id,
                case_id=uuid4(),
                service_id=uuid4(),
                state="wanted",
                mapping=agency.primero["mapping"],
                mapping_version=0,
                problem="",
            )
        )
        await work.session.flush()
        work.defer("referrals:make_counterpart", approach_id=str(approach.id))
    await announce_event(work, referral, agency, "referral.offered", {})


async def leave_current(work: Work, referral: Referral) -> None:
    """Mark the agency that is being asked as unanswered; its late reply still counts."""
    if referral.approach_id is None:
        return
    current = await work.session.get(Approach, referral.approach_id)
    if current is not None and current.state in (ApproachState.OFFERED, ApproachState.DELIVERED):
        current.state = ApproachState.UNANSWERED.value
    referral.approach_id = referral.agency_id = None


async def take_away(work: Work, referral: Referral) -> None:
    """Take a referral from its holder: the duty is open again, with its old deadline."""
    referral.house_has_it = False
    referral.accepted_at = referral.completed_at = referral.outcome = None
    if referral.approach_id is not None:
        approach = await work.session.get(Approach, referral.approach_id)
        assert approach is not None
        approach.state, approach.ended_at = ApproachState.WITHDRAWN.value, work.now
        await tell_agency(work, referral, approach, Purpose.RECALLED)
    if referral.written_at is not None:
        # The next agency has not had the written form yet.
        referral.written_at = None
        await tracking.run_on(work, referral, ClockKind.WRITTEN)
    if referral.seen_at is None:
        await tracking.run_on(work, referral, ClockKind.SEEN)
    await tracking.run_on(work, referral, ClockKind.ACKNOWLEDGE)
    await tracking.stop(work, referral, ClockKind.HAND_OVER, ClockKind.DETAILS, ClockKind.FEEDBACK)
