"""Replies of agencies: who may still reply, and what each reply moves."""

import pytest
from sqlalchemy import select

from app.referrals.directory.models import Agency
from app.referrals.models import Deadline, Recipient, Referral
from app.referrals.replies import replying
from app.referrals.replies.replying import Over, TakenByAnother
from app.referrals.states import (
    DeadlineKind,
    RecipientState,
    ReferralOutcome,
    ReferralState,
    RejectionReason,
)
from app.referrals.trail import By, Via
from app.work import Work
from tests.support.verbs import a_counsellor, a_referral, an_agency, recipient_of

MIRA = By(Via.LINK, "first", "Mira")


async def sent_to_two(work: Work) -> tuple[Referral, Recipient]:
    """A referral that the first of two agencies is asked about."""
    for code in ("first", "second"):
        await an_agency(work, code)
    referral = await a_referral(work, await a_counsellor(work, "ana"))
    return referral, await recipient_of(work, referral)


async def running(work: Work, referral: Referral) -> set[str]:
    kinds = await work.session.scalars(
        select(Deadline.kind).where(
            Deadline.referral_id == referral.id, Deadline.stopped_at.is_(None)
        )
    )
    return set(kinds)


async def code_of(work: Work, recipient: Recipient) -> str:
    agency = await work.session.get(Agency, recipient.agency_id)
    assert agency is not None
    return agency.code


async def test_an_acknowledgement_stops_the_deadline_for_it(work: Work) -> None:
    referral, recipient = await sent_to_two(work)
    assert DeadlineKind.ACKNOWLEDGE in await running(work, referral)
    for _ in range(2):
        await replying.acknowledge(work, referral, recipient, MIRA)
        await work.session.flush()
    assert referral.state == ReferralState.ACKNOWLEDGED
    assert DeadlineKind.ACKNOWLEDGE not in await running(work, referral)


async def test_a_rejection_goes_to_the_next_agency_and_the_deadline_runs_on(work: Work) -> None:
    referral, recipient = await sent_to_two(work)
    before = await code_of(work, recipient)
    await replying.reject(work, referral, recipient, RejectionReason.NO_CAPACITY, MIRA)
    await work.session.flush()
    following = await recipient_of(work, referral)
    assert {before, await code_of(work, following)} == {"first", "second"}
    assert (recipient.state, recipient.reason) == (RecipientState.REJECTED, "no_capacity")
    assert DeadlineKind.ACKNOWLEDGE in await running(work, referral)


async def test_an_agency_that_rejected_cannot_accept_any_more(work: Work) -> None:
    referral, recipient = await sent_to_two(work)
    await replying.reject(work, referral, recipient, RejectionReason.NO_CAPACITY, MIRA)
    await work.session.flush()
    with pytest.raises(Over):
        await replying.accept(work, referral, recipient, MIRA)
    assert recipient.state == RecipientState.REJECTED


async def test_what_one_agency_has_no_other_can_take(work: Work) -> None:
    referral, first = await sent_to_two(work)
    first.state = RecipientState.UNANSWERED.value
    await replying.on_to_the_next(work, referral)
    await work.session.flush()
    second = await recipient_of(work, referral)
    assert second.id != first.id
    await replying.accept(work, referral, second, By(Via.LINK, "second", "Nada"))
    with pytest.raises(TakenByAnother):
        await replying.accept(work, referral, first, MIRA)
    assert (referral.state, referral.recipient_id) == (ReferralState.ACCEPTED, second.id)


async def test_after_the_end_no_reply_counts(work: Work) -> None:
    referral, recipient = await sent_to_two(work)
    await replying.accept(work, referral, recipient, MIRA)
    await replying.complete(work, referral, recipient, ReferralOutcome.SHELTER, MIRA)
    await work.session.flush()
    assert (referral.state, referral.outcome) == (ReferralState.COMPLETED, "placed_shelter")
    assert replying.too_late(referral, recipient) is not None
