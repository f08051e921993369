"""The escalation of a referral: try one person after the other until one acknowledges."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select

from app.calls.models import Call
from app.calls.states import CallState
from app.definitions.risk import Urgency
from app.referrals.channels.telling import (
    add_rung,
    end_rungs,
    phones_on_duty,
    rung_in_this_round,
    send_links,
)
from app.referrals.deadlines import tracking
from app.referrals.directory.agencies import house
from app.referrals.escalation.next_step import AT_LEAST, Act, Around, Position, Turn, climb
from app.referrals.models import Agency, Approach, Referral, Rung
from app.referrals.opening.offering import leave_current, next_agency, offer_to, take_away
from app.referrals.opening.siblings import count_asked
from app.referrals.states import (
    HELD,
    UNACKNOWLEDGED,
    ApproachState,
    ClockKind,
    NoticeKind,
    Purpose,
    ReferralEvent,
    ReferralState,
    RungKind,
    RungResult,
    Service,
)
from app.referrals.trail import PROGRAM_ITSELF, By, can, move, note, tell_house
from app.work import Work

_AT_LEAST = timedelta(seconds=AT_LEAST)
# How long a person who has lifted the phone has to press a key.
LISTENING = timedelta(seconds=60)
# Our people hear of the first round that reached no person, and of every tenth one.
_TELL_EVERY = 10

_RING = {Act.RING, Act.RING_SUPERVISOR, Act.RING_DIRECTOR}
_SEND = {Act.SEND, Act.SEND_SUPERVISOR, Act.SEND_DIRECTOR}
_SUPERVISOR = {Act.RING_SUPERVISOR, Act.SEND_SUPERVISOR}


# -- turns -------------------------------------------------------------------------------------


async def begin(work: Work, referral: Referral, *, after: timedelta | None = None) -> None:
    """Start the escalation of a locked referral at its first step, now or `after` some time."""
    referral.ladder_step, referral.ladder_phone = 0, -1
    if after is not None:
        _take(work, referral, Position(referral.ladder_round, 0, -1), after)
        return
    await climb_on(work, referral)


async def climb_on(work: Work, referral: Referral) -> None:
    """Take the next turn of the escalation of a locked referral that is not acknowledged."""
    waits = referral.state == "draft" or referral.withdrawal_at is not None
    if ReferralState(referral.state) not in UNACKNOWLEDGED or waits:
        _rest(referral)
        return
    await _ask_about_open(work, referral)
    protocol = tracking.protocol_of(work, referral)
    steps = protocol.rule(referral.urgency).steps
    agency = await work.session.get(Agency, referral.agency_id) if referral.agency_id else None
    # After a rejection, a redirection or a failure the agency is not rung any more.
    if referral.state not in (ReferralState.SENT, ReferralState.DELIVERED):
        agency = None
    phones = await _still_to_ring(work, referral, agency)
    supervisor = await _on_call(work, referral, Service.SUPERVISOR_ON_CALL)
    director = await _on_call(work, referral, Service.DIRECTOR_ON_CALL)
    following = await next_agency(work, referral)
    around = Around(
        phones=len(phones),
        messages=_has_messages(agency) or _has_system(agency),
        more_agencies=following.found is not None,
        supervisor_phones=len(supervisor[1]),
        supervisor_messages=_has_messages(supervisor[0]),
        director_phones=len(director[1]),
        director_messages=_has_messages(director[0]),
    )
    position = Position(referral.ladder_round, referral.ladder_step, referral.ladder_phone)
    turn = climb(steps, position, around)
    if turn.act in _RING:
        numbers = {Act.RING: phones, Act.RING_SUPERVISOR: supervisor[1]}.get(turn.act, director[1])
        wait = await _too_soon(work, referral, numbers[0])
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
            await go_to(work, referral, found.agency.id, found.reasons, PROGRAM_ITSELF)
        case Act.AROUND:
            await _go_around(work, referral, following.why)
        case _:
            on_call = supervisor if turn.act in _SUPERVISOR else director
            await _go_to_house(work, referral, turn, on_call)


async def _ask_about_open(work: Work, referral: Referral) -> None:
    """Ask the provider what became of phone attempts that have no result yet."""
    await work.session.flush()
    rows = await work.session.scalars(
        select(Rung.id).where(
            Rung.referral_id == referral.id,
            Rung.kind == RungKind.PHONE,
            Rung.purpose == Purpose.LADDER,
            Rung.result.is_(None),
            Rung.provider_sid.is_not(None),
        )
    )
    for rung_id in rows.all():
        work.defer("telephony:ask_duty_leg", rung_id=str(rung_id))


def _rest(referral: Referral) -> None:
    referral.climbs_at = None
    referral.turn += 1


def _take(work: Work, referral: Referral, position: Position, wait: timedelta) -> None:
    """Write down the position of the escalation, and set the timer of the next turn."""
    referral.turn += 1
    referral.ladder_round = position.round
    referral.ladder_step, referral.ladder_phone = position.step, position.phone
    wait_for(work, referral, wait)


def wait_for(work: Work, referral: Referral, wait: timedelta) -> None:
    """Continue the escalation after `wait`, unless something happens first."""
    referral.climbs_at = work.now + wait
    work.defer(
        "referrals:climb", delay=wait or None, referral_id=str(referral.id), turn=referral.turn
    )


async def _too_soon(work: Work, referral: Referral, target: str) -> timedelta | None:
    """Return how long to wait before this target may be tried again; None if it may be now."""
    await work.session.flush()
    last = await work.session.scalar(
        select(func.max(Rung.wanted_at)).where(
            Rung.referral_id == referral.id, Rung.target == target, Rung.purpose == Purpose.LADDER
        )
    )
    if last is None or work.now - last >= _AT_LEAST:
        return None
    return last + _AT_LEAST - work.now


async def _ring(work: Work, referral: Referral, agency: Agency, number: str, turn: Turn) -> None:
    rung = await add_rung(
        work,
        referral,
        agency,
        RungKind.PHONE,
        number,
        approach_id=referral.approach_id,
        seconds=turn.wait,
    )
    rung.children = await count_asked(work, referral)
    # The provider rings a little longer than asked; the result comes by itself before that.
    wait_for(work, referral, timedelta(seconds=turn.wait + 15))
    _note_rung(work, referral, agency, rung)


async def _send(work: Work, referral: Referral, agency: Agency) -> None:
    lives = tracking.protocol_of(work, referral).link_lives
    await send_links(work, referral, agency, referral.approach_id, lives=lives)
    if _has_messages(agency):
        note(work, referral, "messages wanted", By("program", agency.code), turn=referral.turn)


def _note_rung(work: Work, referral: Referral, agency: Agency, rung: Rung) -> None:
    note(work, referral, "rings", By("program", agency.code), rung=rung.number, turn=referral.turn)


async def go_to(
    work: Work, referral: Referral, agency_id: UUID, why: tuple[str, ...], by: By
) -> None:
    """Redirect a locked referral to another agency, and start the escalation there.

    Raises NotConsented or a subclass, and then nothing has changed.
    """
    if referral.state not in (ReferralState.DRAFT, ReferralState.REDIRECTED):
        held = ReferralState(referral.state) in (*HELD, ReferralState.COMPLETED)
        move(work, referral, ReferralEvent.REDIRECT, by)
        if held:
            await take_away(work, referral)
    await end_rungs(work, referral)
    await offer_to(work, referral, agency_id, why, by)
    await begin(work, referral)


async def _go_around(work: Work, referral: Referral, why: str) -> None:
    """Begin the next round after one in which no person could be reached; tell our own people."""
    if referral.ladder_round % _TELL_EVERY == 1:
        note(work, referral, "nobody left", PROGRAM_ITSELF, why=why)
        tell_house(work, referral, NoticeKind.NOBODY_LEFT, why=why)
    else:
        note(work, referral, "around again", PROGRAM_ITSELF, round=referral.ladder_round)


async def _still_to_ring(work: Work, referral: Referral, agency: Agency | None) -> list[str]:
    """Return the phones that are on duty now and were not tried in this round, in order."""
    if agency is None:
        return []
    tried = await rung_in_this_round(work, referral, agency)
    return [number for number in await phones_on_duty(work, agency) if number not in tried]


async def _on_call(
    work: Work, referral: Referral, service: Service
) -> tuple[Agency | None, list[str]]:
    """Return our own people on call, and their phones not yet tried in this round."""
    found = await house(work, service)
    if not found:
        return None, []
    agency = await work.session.get(Agency, found[0].id)
    assert agency is not None
    return agency, await _still_to_ring(work, referral, agency)


def _has_messages(agency: Agency | None) -> bool:
    return agency is not None and bool(agency.email or agency.sms)


def _has_system(agency: Agency | None) -> bool:
    """Return whether the agency has a system of its own; it gets as long to reply as messages."""
    return agency is not None and bool(agency.webhook_url or agency.primero)


async def _go_to_house(
    work: Work, referral: Referral, turn: Turn, found: tuple[Agency | None, list[str]]
) -> None:
    agency, phones = found
    assert agency is not None
    if turn.act in _RING:
        rung = await add_rung(
            work,
            referral,
            agency,
            RungKind.PHONE,
            phones[0],
            seconds=min(turn.wait, 60),
        )
        wait_for(work, referral, timedelta(seconds=min(turn.wait, 60) + 15))
        _note_rung(work, referral, agency, rung)
    else:
        lives = tracking.protocol_of(work, referral).link_lives
        await send_links(work, referral, agency, None, lives=lives)
        note(work, referral, "messages wanted", By("program", agency.code), turn=referral.turn)
    if turn.position.phone in (0, 1000):
        who = "supervisor" if turn.act in _SUPERVISOR else "director"
        tell_house(work, referral, NoticeKind.ESCALATED, to=who)


# -- results of attempts -----------------------------------------------------------------------

_NOBODY = frozenset(
    {
        RungResult.NO_ANSWER,
        RungResult.BUSY,
        RungResult.MACHINE,
        RungResult.NO_KEY,
        RungResult.UNREACHABLE,
        RungResult.FAILED,
        RungResult.WRONG_NUMBER,
        RungResult.NOT_CONFIRMED,
    }
)


async def note_result(work: Work, referral: Referral, rung: Rung, result: RungResult) -> None:
    """Record the result of one attempt. If no person was reached, go on at once."""
    if rung.ended_at is not None and rung.result is not None:
        return
    rung.result, rung.ended_at, rung.payload_sealed = result.value, work.now, None
    agency = await work.session.get(Agency, rung.agency_id)
    assert agency is not None
    note(
        work,
        referral,
        "rung",
        By("program", agency.code),
        rung=rung.number,
        way=rung.kind,
        purpose=rung.purpose,
        result=result.value,
    )
    if rung.purpose != Purpose.LADDER:
        if result in (RungResult.FAILED, RungResult.UNREACHABLE):
            tell_house(
                work,
                referral,
                NoticeKind.UNDELIVERED,
                for_whom="owner",
                agency=agency.code,
                purpose=rung.purpose,
            )
        return
    if result is RungResult.DELIVERED:
        await _delivered(work, referral, rung)
        return
    if result not in _NOBODY or rung.turn != referral.turn or referral.climbs_at is None:
        return
    if rung.kind != RungKind.PHONE and await _other_way_open(work, referral, rung):
        return
    # A failed phone attempt is over; of two messages, neither is on its way any more.
    await climb_on(work, referral)


async def _other_way_open(work: Work, referral: Referral, rung: Rung) -> bool:
    """Return whether the other of two messages has arrived or may still arrive."""
    await work.session.flush()
    found = await work.session.scalar(
        select(Rung.id)
        .where(
            Rung.referral_id == referral.id,
            Rung.turn == rung.turn,
            Rung.purpose == Purpose.LADDER,
            Rung.id != rung.id,
            (Rung.result.is_(None)) | (Rung.result == RungResult.DELIVERED),
        )
        .limit(1)
    )
    return found is not None


async def _delivered(work: Work, referral: Referral, rung: Rung) -> None:
    """Record that a message has arrived at the agency; that is not yet an acknowledgement."""
    if rung.approach_id is None or rung.approach_id != referral.approach_id:
        return
    approach = await work.session.get(Approach, rung.approach_id)
    assert approach is not None
    if approach.state == ApproachState.OFFERED:
        approach.state, approach.delivered_at = ApproachState.DELIVERED.value, work.now
    if can(referral, ReferralEvent.DELIVER):
        move(work, referral, ReferralEvent.DELIVER, By("program"), way=rung.kind)


def is_needed(referral: Referral, rung: Rung) -> bool:
    """Return whether this attempt still has a person to reach."""
    if rung.purpose == Purpose.LADDER:
        state = ReferralState(referral.state)
        return state in UNACKNOWLEDGED and state is not ReferralState.DRAFT
    if rung.purpose in (Purpose.WITHDRAWN, Purpose.RECALLED):
        return True
    return referral.closed_at is None


async def live_talk(work: Work, referral: Referral) -> Call | None:
    """Return the call of this referral while the caller is still talking with us, else None."""
    if referral.call_id is None:
        return None
    call = await work.session.get(Call, referral.call_id, populate_existing=True)
    return call if call is not None and call.state == CallState.CONNECTED else None


async def breached(work: Work, referral: Referral, kind: str) -> None:
    """Act on a missed deadline: an urgent referral without a reply goes to the next agency."""
    if kind == "hand_over" and referral.house_has_it:
        await take_back_from_house(work, referral)
    elif kind == "details" and can(referral, ReferralEvent.LAPSE):
        await _details_not_opened(work, referral)
    elif (
        kind == "acknowledge"
        and referral.urgency != Urgency.IMMEDIATE
        and referral.climbs_at is not None
    ):
        # An immediate referral escalates all the time; any other waits for its deadline.
        found = (await next_agency(work, referral, fresh=True)).found
        if found is not None:
            await go_to(work, referral, found.agency.id, found.reasons, PROGRAM_ITSELF)
        elif referral.urgency != Urgency.URGENT and can(referral, ReferralEvent.EXPIRE):
            await _expire(work, referral)


async def _expire(work: Work, referral: Referral) -> None:
    """Expire a referral that is not urgent: its owner decides, and a late reply still counts."""
    move(work, referral, ReferralEvent.EXPIRE, PROGRAM_ITSELF)
    await leave_current(work, referral)
    await end_rungs(work, referral)
    _rest(referral)


async def _details_not_opened(work: Work, referral: Referral) -> None:
    """Resume the escalation: an agency acknowledged and has not opened the details in time.

    Its own phones are tried first. It may still reply until another agency takes the referral.
    """
    assert referral.approach_id is not None
    approach = await work.session.get(Approach, referral.approach_id)
    assert approach is not None
    move(work, referral, ReferralEvent.LAPSE, PROGRAM_ITSELF)
    approach.state = ApproachState.OFFERED.value
    referral.acknowledged_at = None
    await tracking.run_on(work, referral, ClockKind.ACKNOWLEDGE)
    await tracking.stop(work, referral, ClockKind.DETAILS)
    referral.ladder_round += 1
    approach.round = referral.ladder_round
    await begin(work, referral)


async def take_back_from_house(work: Work, referral: Referral) -> None:
    """Restart the escalation: our supervisor has the referral, and no agency took it in time."""
    move(work, referral, ReferralEvent.REDIRECT, PROGRAM_ITSELF, why="no agency in time")
    await take_away(work, referral)
    referral.ladder_round += 1
    await begin(work, referral)
