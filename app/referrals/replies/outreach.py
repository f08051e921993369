"""A mobile outreach team: asked for, on its way, there, or called off."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select

from app.errors import Code, Conflict, Invalid, NotFound
from app.referrals.channels.links import send_links
from app.referrals.channels.telling import (
    announce,
)
from app.referrals.consent.consenting import given_of
from app.referrals.consent.rules import ConsentKind, ConsentWithdrawn, NotConsented
from app.referrals.deadlines import tracking
from app.referrals.directory.models import Agency
from app.referrals.log_kinds import LogKind
from app.referrals.models import Dispatch, Recipient, Referral
from app.referrals.replies.details import tell_to_ring
from app.referrals.replies.replying import Over, lock_recipient, progress
from app.referrals.states import (
    DISPATCH_ORDER,
    DISPATCH_RESULTS,
    LIVE_RECIPIENT,
    OVER,
    AgencyEvent,
    DeadlineKind,
    DispatchState,
    Purpose,
    RecipientState,
    ReferralState,
)
from app.referrals.trail import By, note
from app.work import Work

_LOG_OF_TEAM = {
    DispatchState.ON_THE_WAY: LogKind.TEAM_ON_THE_WAY,
    DispatchState.ARRIVED: LogKind.TEAM_ARRIVED,
    DispatchState.SEEN: LogKind.TEAM_SEEN,
    DispatchState.DONE: LogKind.TEAM_DONE,
    DispatchState.CALLED_OFF: LogKind.TEAM_CALLED_OFF,
}


async def _check_consent(work: Work, referral: Referral) -> None:
    given = await given_of(work, referral)
    if given is None:
        raise NotConsented(
            "No team is sent: there is neither consent nor an override with its basis and reason. "
            "Record one of them first."
        )
    if given.kind is ConsentKind.WITHDRAWN:
        raise ConsentWithdrawn()


async def dispatch(
    work: Work,
    referral: Referral,
    place: str,
    wanted_at: datetime,
    team: str,
    by: By,
    *,
    words: str = "",
) -> Dispatch:
    """Ask for a team at a place and time, with a deadline for its arrival. The place is sealed.

    Raises Invalid, Over, and NotConsented if there is neither consent nor another ground.
    """
    if ReferralState(referral.state) in OVER:
        raise Over()
    await _check_consent(work, referral)
    if not place.strip() or not team.strip():
        raise Invalid("Write where the team is to go, and which team.")
    if not work.now - timedelta(days=1) <= wanted_at <= work.now + timedelta(days=366):
        raise Invalid("The time must be within the next year. Check the date.")
    row_id = uuid4()

    def seal(text: str, column: str) -> bytes | None:
        if not text.strip():
            return None
        return work.keys.seal(text.strip().encode(), table="dispatches", column=column, row=row_id)

    sealed = seal(place, "place_sealed")
    assert sealed is not None
    made = Dispatch(
        id=row_id,
        referral_id=referral.id,
        recipient_id=referral.recipient_id,
        place_sealed=sealed,
        wanted_at=wanted_at,
        team=team.strip()[:120],
        state=DispatchState.ASKED.value,
        asked_at=work.now,
        words_sealed=seal(words, "words_sealed"),
    )
    work.session.add(made)
    note(
        work,
        referral,
        LogKind.TEAM_ASKED_FOR,
        by,
        team=made.team,
        wanted_at=wanted_at.isoformat(),
        dispatch=str(row_id),
    )
    await tracking.run_team(work, referral)
    await _tell_of_team(work, referral)
    return made


async def _tell_of_team(work: Work, referral: Referral) -> None:
    """Send the agency that has the referral a link; its code opens where its team is to go."""
    if referral.recipient_id is None:
        return
    recipient = await lock_recipient(work, referral, referral.recipient_id)
    agency = await work.session.get(Agency, recipient.agency_id)
    assert agency is not None
    lives = tracking.protocol_of(work, referral).link_lives
    await send_links(work, referral, agency, recipient.id, lives=lives, purpose=Purpose.LINK)
    tell_to_ring(work, referral, agency)
    await announce(work, referral, agency, AgencyEvent.TEAM_ASKED_FOR)


async def move_dispatch(
    work: Work,
    referral: Referral,
    dispatch_id: UUID,
    to: DispatchState,
    by: By,
    *,
    of: Recipient | None = None,
    result: str | None = None,
    words: str = "",
) -> Dispatch:
    """Move a team forward: on the way, arrived, with the child, done, or called off.

    With `of`, only a team of that recipient. Raises NotFound, Conflict, Invalid, Over.
    """
    if ReferralState(referral.state) in OVER:
        raise Over()
    await work.session.flush()
    found = await work.session.scalar(
        select(Dispatch).where(Dispatch.id == dispatch_id, Dispatch.referral_id == referral.id)
    )
    if found is None or (of is not None and found.recipient_id != of.id):
        raise NotFound("This referral has no such team.")
    before = DispatchState(found.state)
    if before in (DispatchState.DONE, DispatchState.CALLED_OFF):
        raise Conflict("This dispatch is over.")
    if to is not DispatchState.CALLED_OFF and DISPATCH_ORDER.index(to) <= DISPATCH_ORDER.index(
        before
    ):
        raise Conflict("The team is already %(state)s.", state=Code(before))
    if to is DispatchState.DONE and result not in DISPATCH_RESULTS:
        raise Invalid("The result is one of: %(results)s.", results=list(DISPATCH_RESULTS))
    found.state = to.value
    column = "ended_at" if to in (DispatchState.DONE, DispatchState.CALLED_OFF) else f"{to}_at"
    setattr(found, column, work.now)
    if to is DispatchState.DONE:
        found.result = result
    note(
        work,
        referral,
        _LOG_OF_TEAM[to],
        by,
        words=words,
        team=found.team,
        dispatch=str(found.id),
        **({"from": before.value, "to": to.value}),
        **({"result": result} if result else {}),
    )
    await tracking.run_team(work, referral)
    if to is DispatchState.SEEN:
        await _seen_by_team(work, referral, found, by)
    return found


async def _seen_by_team(work: Work, referral: Referral, team: Dispatch, by: By) -> None:
    """Stop the deadline to see the child: a team has seen it.

    This is progress of the agency that sent the team, if that agency has accepted. A draft has
    reached no agency: its deadlines go on.
    """
    if referral.state == ReferralState.DRAFT:
        return
    if referral.recipient_id is not None and team.recipient_id == referral.recipient_id:
        recipient = await lock_recipient(work, referral, referral.recipient_id)
        if recipient.accepted_at is not None and RecipientState(recipient.state) in LIVE_RECIPIENT:
            await progress(work, referral, recipient, by, seen_at=work.now)
            return
    if referral.seen_at is None:
        referral.seen_at = work.now
        await tracking.stop(work, referral, DeadlineKind.SEEN)
        await tracking.start_once(work, referral, "seen")
