"""Tell the agencies that heard of a referral what has changed, by each of their channels."""

from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from app.referrals.channels.attempts import add_attempt, end_attempts
from app.referrals.channels.models import Link
from app.referrals.channels.registry import systems_of, writing_to
from app.referrals.directory.models import Agency
from app.referrals.log_kinds import LogKind
from app.referrals.models import Dispatch, Recipient, Referral
from app.referrals.states import (
    LIVE_RECIPIENT,
    AgencyEvent,
    DispatchState,
    Purpose,
    RecipientState,
)
from app.referrals.trail import PROGRAM_ITSELF, ask_to_ring, note
from app.work import Work


async def recipients_of(work: Work, referral_id: UUID) -> list[Recipient]:
    """Return the recipients of a referral, in order."""
    await work.session.flush()
    rows = await work.session.scalars(
        select(Recipient).where(Recipient.referral_id == referral_id).order_by(Recipient.number)
    )
    return list(rows)


async def tell_recipients(work: Work, referral: Referral, purpose: Purpose) -> None:
    """Tell every agency that heard of a referral that it was recalled, or consent withdrawn."""
    await end_attempts(work, referral)
    told: set[UUID] = set()
    for recipient in await recipients_of(work, referral.id):
        if RecipientState(recipient.state) in LIVE_RECIPIENT:
            recipient.state, recipient.ended_at = RecipientState.WITHDRAWN.value, work.now
        await tell_agency(work, referral, recipient, purpose, again=recipient.agency_id in told)
        told.add(recipient.agency_id)
    # Links must not show the details any more.
    await work.session.execute(
        update(Link)
        .where(Link.referral_id == referral.id)
        .values(proven_until=None, proof_key=None)
        .execution_options(synchronize_session="fetch")
    )


async def call_off_teams(work: Work, referral: Referral) -> None:
    """Call off the teams of a referral that is over."""
    await work.session.flush()
    rows = await work.session.scalars(
        select(Dispatch).where(Dispatch.referral_id == referral.id, Dispatch.ended_at.is_(None))
    )
    for team in rows.all():
        team.state, team.ended_at = DispatchState.CALLED_OFF.value, work.now
        note(work, referral, LogKind.TEAM_CALLED_OFF, PROGRAM_ITSELF, team=team.team)


async def tell_agency(
    work: Work, referral: Referral, recipient: Recipient, purpose: Purpose, *, again: bool = False
) -> None:
    """Tell an agency, by each of its channels, that it is no longer asked.

    With `again` its people were told before, and only its own systems are left to tell.
    """
    agency = await work.session.get(Agency, recipient.agency_id)
    assert agency is not None
    heard = [
        await system.take_back(work, referral, agency, recipient, purpose, again=again)
        for system in systems_of(agency)
    ]
    if again:
        return
    written_to = writing_to(agency)
    for channel, address in written_to:
        await add_attempt(
            work,
            referral,
            agency,
            channel.kind,
            address,
            purpose=purpose,
            recipient_id=recipient.id,
        )
    if not written_to and not any(heard):
        ask_to_ring(work, referral, agency.code, purpose)


async def announce(
    work: Work, referral: Referral, agency: Agency, event: AgencyEvent, **detail: Any
) -> None:
    """Tell an agency's own programs what happened by another channel."""
    for system in systems_of(agency):
        await system.announce(work, referral, agency, event, detail)
