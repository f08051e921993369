"""The escalation of a referral: try one person after the other until one acknowledges."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from app.jobs.names import Task
from app.outbox.channels import ChannelKind
from app.privacy.keeper.client import KeeperAway
from app.referrals.channels.attempts import (
    add_attempt,
    end_attempts,
    phones_on_duty,
    tried_in_this_round,
)
from app.referrals.channels.links import send_links
from app.referrals.channels.models import Attempt
from app.referrals.channels.registry import systems_of, writing_to
from app.referrals.deadlines import tracking
from app.referrals.directory.models import Agency
from app.referrals.directory.on_call import people_on_call
from app.referrals.escalation.next_step import (
    SENT,
    Act,
    Around,
    Position,
    StepKind,
    Turn,
    next_turn,
)
from app.referrals.escalation.waiting import KEEPER_IS_BACK, NOT_KNOWN, too_early, too_soon
from app.referrals.log_kinds import LogKind
from app.referrals.models import Referral
from app.referrals.opening.offering import Following, next_agency, offer_to, take_away
from app.referrals.opening.siblings import count_asked
from app.referrals.reasons import Barred, Fits, WhyNoAgency
from app.referrals.states import (
    HELD,
    UNACKNOWLEDGED,
    NoticeKind,
    Purpose,
    ReferralEvent,
    ReferralState,
    Service,
)
from app.referrals.trail import PROGRAM_ITSELF, By, Via, add_notice, move, note
from app.work import Work

# How long a person who has lifted the phone has to press a key.
LISTENING = timedelta(seconds=60)
# Our people hear of the first round that reached no person, and of every tenth one.
_TELL_EVERY = 10

_RING = {Act.RING, Act.RING_SUPERVISOR, Act.RING_DIRECTOR}
# Beside these it is asked again and again which agency is next if that is not known, so that it is
# rung as soon as the keeper is back.
_ASKS_AGAIN = {Act.RING_SUPERVISOR, Act.RING_DIRECTOR, Act.AROUND}
_SUPERVISOR = {Act.RING_SUPERVISOR, Act.SEND_SUPERVISOR}


async def begin(work: Work, referral: Referral, *, after: timedelta | None = None) -> None:
    """Start the escalation of a locked referral at its first step, now or `after` some time."""
    referral.escalation_step, referral.escalation_phone = 0, -1
    if after is not None:
        _take(work, referral, Position(referral.escalation_round, 0, -1), after)
        return
    await escalate_on(work, referral)


async def escalate_on(work: Work, referral: Referral) -> None:
    """Take the next turn of the escalation of a locked referral that is not acknowledged."""
    waits = referral.state == ReferralState.DRAFT or referral.withdrawal_at is not None
    if ReferralState(referral.state) not in UNACKNOWLEDGED or waits:
        rest(referral)
        return
    await _ask_about_open(work, referral)
    steps = tracking.protocol_of(work, referral).rule(referral.urgency).steps
    agency = await work.session.get(Agency, referral.agency_id) if referral.agency_id else None
    # After a rejection, a redirection or a failure the agency is not rung any more.
    if referral.state not in (ReferralState.SENT, ReferralState.DELIVERED):
        agency = None
    phones = await _still_to_ring(work, referral, agency)
    supervisor = await _on_call(work, referral, Service.SUPERVISOR_ON_CALL)
    director = await _on_call(work, referral, Service.DIRECTOR_ON_CALL)
    following = await _next_agency(work, referral)
    around = Around(
        phones=len(phones),
        # A program gets as long to reply as the readers of messages.
        messages=bool(writing_to(agency) or systems_of(agency)),
        more_agencies=following.found is not None,
        supervisor_phones=len(supervisor[1]),
        supervisor_messages=await _still_to_write(work, referral, supervisor[0]),
        director_phones=len(director[1]),
        director_messages=await _still_to_write(work, referral, director[0]),
    )
    position = Position(
        referral.escalation_round, referral.escalation_step, referral.escalation_phone
    )
    turn = next_turn(steps, position, around)
    early = await too_early(work, referral, turn, following)
    if early is not None:
        wait_for(work, referral, early)
        return
    if turn.act in _RING:
        numbers = {Act.RING: phones, Act.RING_SUPERVISOR: supervisor[1]}.get(turn.act, director[1])
        wait = await too_soon(work, referral, numbers[0])
        if wait is not None:
            # Repeat the same turn a little later.
            _take(work, referral, position, wait)
            return
    _take(work, referral, turn.position, timedelta(seconds=turn.wait))
    match turn.act:
        case Act.RING:
            assert agency is not None
            await _ring(work, referral, agency, phones[0], turn)
        case Act.SEND:
            assert agency is not None
            await _send(work, referral, agency)
        case Act.NEXT_AGENCY:
            assert following.found is not None
            found = following.found
            await go_to(work, referral, found.agency.id, found.fits, PROGRAM_ITSELF)
        case Act.AROUND:
            await _go_around(work, referral, following.why)
        case _:
            on_call = supervisor if turn.act in _SUPERVISOR else director
            await _go_to_on_call(work, referral, turn, on_call)
    if following is NOT_KNOWN and turn.act in _ASKS_AGAIN:
        wait_for(work, referral, KEEPER_IS_BACK)


async def _next_agency(work: Work, referral: Referral) -> Following:
    """Return which agency is next. Those who are known already are rung without the keeper."""
    try:
        return await next_agency(work, referral)
    except KeeperAway:
        return NOT_KNOWN


async def _ask_about_open(work: Work, referral: Referral) -> None:
    """Ask the provider what became of phone attempts that have no result yet."""
    await work.session.flush()
    rows = await work.session.scalars(
        select(Attempt.id).where(
            Attempt.referral_id == referral.id,
            Attempt.kind == ChannelKind.PHONE,
            Attempt.purpose == Purpose.ESCALATION,
            Attempt.result.is_(None),
            Attempt.provider_sid.is_not(None),
        )
    )
    for attempt_id in rows.all():
        work.defer(Task.ASK_DUTY_LEG, attempt_id=str(attempt_id))


def rest(referral: Referral) -> None:
    """Stop the escalation: no turn follows, and one that is late does nothing."""
    referral.escalates_at = None
    referral.turn += 1


def _take(work: Work, referral: Referral, position: Position, wait: timedelta) -> None:
    """Write down the position of the escalation, and set the timer of the next turn."""
    referral.turn += 1
    referral.escalation_round = position.round
    referral.escalation_step, referral.escalation_phone = position.step, position.phone
    wait_for(work, referral, wait)


def wait_for(work: Work, referral: Referral, wait: timedelta) -> None:
    """Continue the escalation after `wait`, unless something happens first."""
    referral.escalates_at = work.now + wait
    work.defer(Task.ESCALATE, delay=wait or None, referral_id=str(referral.id), turn=referral.turn)


async def _ring(work: Work, referral: Referral, agency: Agency, number: str, turn: Turn) -> None:
    attempt = await add_attempt(
        work,
        referral,
        agency,
        ChannelKind.PHONE,
        number,
        recipient_id=referral.recipient_id,
        seconds=turn.wait,
    )
    attempt.children = await count_asked(work, referral)
    # The provider rings a little longer than asked; the result comes by itself before that.
    wait_for(work, referral, timedelta(seconds=turn.wait + 15))
    _note_attempt(work, referral, agency, attempt)


async def _send(work: Work, referral: Referral, agency: Agency) -> None:
    lives = tracking.protocol_of(work, referral).link_lives
    await send_links(work, referral, agency, referral.recipient_id, lives=lives)
    if writing_to(agency):
        note(
            work,
            referral,
            LogKind.MESSAGES_WANTED,
            By(Via.PROGRAM, agency.code),
            turn=referral.turn,
        )


def _note_attempt(work: Work, referral: Referral, agency: Agency, attempt: Attempt) -> None:
    note(
        work,
        referral,
        LogKind.RINGS,
        By(Via.PROGRAM, agency.code),
        attempt=attempt.number,
        turn=referral.turn,
    )


async def go_to(
    work: Work, referral: Referral, agency_id: UUID, why: tuple[Fits, ...], by: By
) -> None:
    """Redirect a locked referral to another agency, and start the escalation there.

    Raises NotConsented or a subclass, and then nothing has changed.
    """
    if referral.state not in (ReferralState.DRAFT, ReferralState.REDIRECTED):
        held = ReferralState(referral.state) in (*HELD, ReferralState.COMPLETED)
        move(work, referral, ReferralEvent.REDIRECT, by)
        if held:
            await take_away(work, referral)
    # A phone of our own people that rings rings on: it is not rung again in this round.
    await end_attempts(work, referral, but_on_call=by == PROGRAM_ITSELF)
    await offer_to(work, referral, agency_id, why, by)
    await begin(work, referral)


async def _go_around(work: Work, referral: Referral, why: WhyNoAgency | Barred) -> None:
    """Begin the next round after one in which no person could be reached; tell our own people."""
    if referral.escalation_round % _TELL_EVERY == 1:
        note(work, referral, LogKind.NO_AGENCY_LEFT, PROGRAM_ITSELF, why=why)
        add_notice(work, referral, NoticeKind.NO_AGENCY_LEFT, why=why)
    else:
        note(work, referral, LogKind.AROUND_AGAIN, PROGRAM_ITSELF, round=referral.escalation_round)


async def _still_to_ring(work: Work, referral: Referral, agency: Agency | None) -> list[str]:
    """Return the phones that are on duty now and were not tried in this round, in order."""
    if agency is None:
        return []
    tried = await tried_in_this_round(work, referral, agency)
    return [number for number in await phones_on_duty(work, agency) if number not in tried]


async def _on_call(
    work: Work, referral: Referral, service: Service
) -> tuple[Agency | None, list[str]]:
    """Return our own people on call, and their phones not yet tried in this round."""
    agency = await people_on_call(work, service)
    return agency, await _still_to_ring(work, referral, agency)


async def _still_to_write(work: Work, referral: Referral, agency: Agency | None) -> bool:
    """Return whether our own people can be written to, and were not in this round."""
    if agency is None or not writing_to(agency):
        return False
    written = await work.session.scalar(
        select(Attempt.id)
        .where(
            Attempt.referral_id == referral.id,
            Attempt.agency_id == agency.id,
            Attempt.round == referral.escalation_round,
            Attempt.kind != ChannelKind.PHONE,
            Attempt.purpose == Purpose.ESCALATION,
        )
        .limit(1)
    )
    return written is None


async def _go_to_on_call(
    work: Work, referral: Referral, turn: Turn, found: tuple[Agency | None, list[str]]
) -> None:
    agency, phones = found
    assert agency is not None
    if turn.act in _RING:
        attempt = await add_attempt(
            work,
            referral,
            agency,
            ChannelKind.PHONE,
            phones[0],
            seconds=min(turn.wait, 60),
        )
        wait_for(work, referral, timedelta(seconds=min(turn.wait, 60) + 15))
        _note_attempt(work, referral, agency, attempt)
    else:
        lives = tracking.protocol_of(work, referral).link_lives
        await send_links(work, referral, agency, None, lives=lives)
        note(
            work,
            referral,
            LogKind.MESSAGES_WANTED,
            By(Via.PROGRAM, agency.code),
            turn=referral.turn,
        )
    if turn.position.phone in (0, SENT):
        who = StepKind.SUPERVISOR if turn.act in _SUPERVISOR else StepKind.DIRECTOR
        add_notice(work, referral, NoticeKind.ESCALATED, to=who)
