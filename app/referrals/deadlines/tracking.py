"""Deadlines, to the second: started and stopped by what happens, checked by jobs."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import bindparam, delete, func, literal, select, union_all

from app.database.quick import Question
from app.definitions.risk import Urgency
from app.referrals.library import protocols_of
from app.referrals.models import Agency, Approach, Clock, ClockBreach, Dispatch, Referral
from app.referrals.protocol import Protocol
from app.referrals.scopes import lock_referral, reads_referral
from app.referrals.states import OVER, ClockKind, NoticeKind, ReferralState
from app.referrals.trail import PROGRAM_ITSELF, note, tell_house
from app.staff.models import Staff
from app.work import Ground, Work

# At these urgencies a missed deadline means that a child still waits for help.
_GRAVE = (Urgency.IMMEDIATE, Urgency.URGENT)


# These deadlines have one time in the protocol, whatever the urgency.
_OWN_TIME = (ClockKind.HAND_OVER, ClockKind.TEAM, ClockKind.FEEDBACK)


def protocol_of(work: Work, referral: Referral) -> Protocol:
    """Return the protocol under which a referral was opened."""
    key = (referral.protocol, referral.protocol_version)
    return protocols_of(work.ground).protocols[key]


def start_from(work: Work, referral: Referral, moment: str) -> None:
    """Start the deadlines of a locked referral that run from `moment`, which is now."""
    protocol = protocol_of(work, referral)
    for rule in protocol.rule(referral.urgency).clocks:
        if rule.from_ == moment:
            _add(work, referral, rule.clock, protocol.due(rule, work.now))


def _add(work: Work, referral: Referral, kind: ClockKind, due: datetime) -> None:
    clock = Clock(
        id=uuid4(), referral_id=referral.id, kind=kind.value, started_at=work.now, due_at=due
    )
    work.session.add(clock)
    _set(work, clock)


def _set(work: Work, clock: Clock) -> None:
    wait = max(clock.due_at - work.now, timedelta(0))
    work.defer("referrals:clock", delay=wait or None, clock_id=str(clock.id))
    work.announce("clocks")


async def _clock(work: Work, referral: Referral, kind: ClockKind) -> Clock | None:
    await work.session.flush()
    return await work.session.scalar(
        select(Clock).where(Clock.referral_id == referral.id, Clock.kind == kind.value)
    )


async def run_hand_over(work: Work, referral: Referral) -> datetime:
    """Start the deadline for an agency to take over from our own staff. Return when it is due."""
    due = work.now + protocol_of(work, referral).hand_over
    clock = await _clock(work, referral, ClockKind.HAND_OVER)
    if clock is None:
        _add(work, referral, ClockKind.HAND_OVER, due)
    else:
        clock.started_at, clock.due_at = work.now, due
        clock.stopped_at = clock.breached_at = None
        _set(work, clock)
    return due


async def run_details(work: Work, referral: Referral, *, done: bool) -> None:
    """Start the deadline to open the details, for an agency that has just acknowledged.

    It starts anew for each agency. With `done` the agency has the details already.
    """
    protocol = protocol_of(work, referral)
    rule = protocol.rule(referral.urgency).clock(ClockKind.DETAILS)
    clock = await _clock(work, referral, ClockKind.DETAILS)
    if rule is None or done:
        await stop(work, referral, ClockKind.DETAILS)
    elif clock is None:
        _add(work, referral, ClockKind.DETAILS, protocol.due(rule, work.now))
    else:
        clock.started_at, clock.due_at = work.now, protocol.due(rule, work.now)
        clock.stopped_at = clock.breached_at = clock.breached_by = None
        _set(work, clock)


async def run_team(work: Work, referral: Referral) -> None:
    """Set the deadline for the next mobile outreach team to be with the child.

    It stops once every team has arrived or was called off.
    """
    await work.session.flush()
    row = (
        await work.session.execute(
            select(Dispatch.wanted_at, Dispatch.asked_at)
            .where(
                Dispatch.referral_id == referral.id,
                Dispatch.arrived_at.is_(None),
                Dispatch.seen_at.is_(None),
                Dispatch.ended_at.is_(None),
            )
            .order_by(func.greatest(Dispatch.wanted_at, Dispatch.asked_at))
            .limit(1)
        )
    ).one_or_none()
    if row is None:
        await stop(work, referral, ClockKind.TEAM)
        return
    due = max(row.wanted_at, row.asked_at) + protocol_of(work, referral).team_late
    clock = await _clock(work, referral, ClockKind.TEAM)
    if clock is None:
        _add(work, referral, ClockKind.TEAM, due)
    elif clock.stopped_at is not None or clock.due_at != due:
        clock.started_at, clock.due_at = work.now, due
        clock.stopped_at = clock.breached_at = clock.breached_by = None
        _set(work, clock)


async def run_feedback(work: Work, referral: Referral) -> None:
    """Set the deadline to tell the professional who reported the outcome of a referral."""
    wanted = referral.wants_feedback and referral.feedback_at is None
    if not wanted or referral.state != ReferralState.COMPLETED:
        await stop(work, referral, ClockKind.FEEDBACK)
        return
    clock = await _clock(work, referral, ClockKind.FEEDBACK)
    due = (referral.completed_at or work.now) + protocol_of(work, referral).feedback
    if clock is None:
        _add(work, referral, ClockKind.FEEDBACK, due)
    elif clock.stopped_at is not None:
        clock.started_at, clock.due_at = work.now, due
        clock.stopped_at = clock.breached_at = clock.breached_by = None
        _set(work, clock)


async def start_once(work: Work, referral: Referral, moment: str) -> None:
    """Do the same as `start_from`, for a moment that may come again after a rejection."""
    protocol = protocol_of(work, referral)
    for rule in protocol.rule(referral.urgency).clocks:
        if rule.from_ != moment or rule.clock is ClockKind.DETAILS:
            continue
        clock = await _clock(work, referral, rule.clock)
        if clock is None:
            _add(work, referral, rule.clock, protocol.due(rule, work.now))
        elif clock.stopped_at is not None and not _stays_done(referral, rule.clock):
            clock.stopped_at = None
            _set(work, clock)


def _stays_done(referral: Referral, kind: ClockKind) -> bool:
    """Return whether this was done for the child and stays done when another agency takes over."""
    return kind in (ClockKind.SEEN, ClockKind.WRITTEN) and has_happened(referral, kind)


def has_happened(referral: Referral, kind: ClockKind, holder: Approach | None = None) -> bool:
    """Return whether the event was done that a deadline waited for; otherwise it only stopped.

    `holder` is the recipient that has the referral.
    """
    done = {
        ClockKind.DETAILS: holder.details_at if holder else None,
        ClockKind.ACKNOWLEDGE: referral.acknowledged_at,
        ClockKind.HAND_OVER: None if referral.house_has_it else referral.acknowledged_at,
        ClockKind.SEEN: referral.seen_at,
        ClockKind.WRITTEN: referral.written_at,
        ClockKind.FOLLOW_UP: referral.completed_at,
        # A team's deadline stops when the team arrives, or when it is called off.
        ClockKind.TEAM: None,
        ClockKind.FEEDBACK: referral.feedback_at,
    }
    return done[kind] is not None


async def stop(work: Work, referral: Referral, *kinds: ClockKind) -> None:
    """Stop deadlines of a locked referral: their event has happened, or never will."""
    await work.session.flush()
    wanted = [kind.value for kind in kinds] or list(ClockKind)
    rows = await work.session.scalars(
        select(Clock).where(
            Clock.referral_id == referral.id, Clock.kind.in_(wanted), Clock.stopped_at.is_(None)
        )
    )
    for clock in rows.all():
        clock.stopped_at = work.now
    work.announce("clocks")


async def follow_urgency(
    work: Work, referral: Referral, moments: dict[str, datetime | None]
) -> None:
    """Set the deadlines of a locked referral to the times of its new urgency.

    Running ones keep the moment from which they run; `moments` says when each moment was.
    """
    protocol = protocol_of(work, referral)
    rules = {rule.clock: rule for rule in protocol.rule(referral.urgency).clocks}
    await work.session.flush()
    rows = await work.session.scalars(select(Clock).where(Clock.referral_id == referral.id))
    known = {ClockKind(clock.kind): clock for clock in rows.all()}
    for kind, clock in known.items():
        if clock.stopped_at is not None or kind in _OWN_TIME:
            continue
        if kind not in rules:
            clock.stopped_at = work.now
            continue
        clock.due_at = protocol.due(rules[kind], clock.started_at)
        if clock.due_at > work.now and clock.breached_at is not None:
            # At the new urgency this is not a breach.
            await work.session.execute(
                delete(ClockBreach).where(
                    ClockBreach.clock_id == clock.id, ClockBreach.at == clock.breached_at
                )
            )
            clock.breached_at = clock.breached_by = None
        _set(work, clock)
    holder = None
    if referral.approach_id is not None:
        holder = await work.session.get(Approach, referral.approach_id)
    for kind, rule in rules.items():
        start = moments.get(rule.from_)
        if kind in known or start is None or has_happened(referral, kind, holder):
            continue
        if kind is ClockKind.DETAILS and referral.house_has_it:
            continue
        clock = Clock(
            id=uuid4(),
            referral_id=referral.id,
            kind=kind.value,
            started_at=start,
            due_at=protocol.due(rule, start),
        )
        work.session.add(clock)
        _set(work, clock)


async def run_on(work: Work, referral: Referral, kind: ClockKind) -> None:
    """Resume a deadline whose event was undone; it keeps the time at which it was due."""
    clock = await _clock(work, referral, kind)
    if clock is not None and clock.stopped_at is not None:
        clock.stopped_at = None
        _set(work, clock)


async def ring(work: Work, clock_id: UUID) -> Referral | None:
    """Check a deadline that may be due. Return the referral if this recorded a new breach."""
    referral_id = await work.session.scalar(select(Clock.referral_id).where(Clock.id == clock_id))
    if referral_id is None:
        return None
    referral = await lock_referral(work, referral_id)
    clock = await work.session.get(Clock, clock_id, populate_existing=True)
    assert clock is not None
    if clock.stopped_at is not None or clock.breached_at is not None:
        return None
    if clock.due_at > work.now:
        # The deadline was moved in the meantime, or this machine's clock is behind.
        _set(work, clock)
        return None
    if ReferralState(referral.state) in OVER:
        clock.stopped_at = work.now
        return None
    clock.breached_at, clock.breached_by = work.now, referral.approach_id
    work.session.add(
        ClockBreach(
            clock_id=clock.id, approach_id=referral.approach_id, due_at=clock.due_at, at=work.now
        )
    )
    note(
        work,
        referral,
        "clock breached",
        PROGRAM_ITSELF,
        clock=clock.kind,
        due_at=clock.due_at.isoformat(),
        started_at=clock.started_at.isoformat(),
    )
    grave = referral.urgency in _GRAVE or clock.kind == ClockKind.HAND_OVER
    # The written form is the owner's to send; every other breach goes to the supervisors, too.
    whom = "supervisors" if grave or clock.kind != ClockKind.WRITTEN else "owner"
    tell_house(work, referral, NoticeKind.BREACH, for_whom=whom, clock=clock.kind)
    if whom == "supervisors":
        tell_house(work, referral, NoticeKind.BREACH, for_whom="owner", clock=clock.kind)
    work.announce("clocks")
    return referral


# -- reading -----------------------------------------------------------------------------------


class RunningClock(NamedTuple):
    """A running deadline with its referral, the agency that has it, and its owner."""

    clock: Clock
    referral: Referral
    agency: str
    owner: str


async def count_running(work: Work, staff: Staff) -> int:
    """Return how many running deadlines a member of staff may see."""
    return (
        await work.session.scalar(
            select(func.count())
            .select_from(Clock)
            .join(Referral, Referral.id == Clock.referral_id)
            .where(Clock.stopped_at.is_(None), reads_referral(staff))
        )
        or 0
    )


async def running(work: Work, staff: Staff, limit: int = 500) -> list[RunningClock]:
    """Return the running deadlines that a member of staff may see, the nearest first."""
    rows = await work.session.execute(
        select(Clock, Referral, Agency.name, Staff.name)
        .join(Referral, Referral.id == Clock.referral_id)
        .join(Agency, Agency.id == Referral.agency_id, isouter=True)
        .join(Staff, Staff.id == Referral.owner_id)
        .where(Clock.stopped_at.is_(None), reads_referral(staff))
        .order_by(Clock.due_at, Clock.id)
        .limit(limit)
    )
    return [RunningClock(c, r, agency or "", owner) for c, r, agency, owner in rows]


async def clocks_of(work: Work, referral_ids: Iterable[UUID]) -> dict[UUID, list[Clock]]:
    """Return the deadlines of some referrals, the nearest first."""
    rows = await work.session.scalars(
        select(Clock).where(Clock.referral_id.in_(list(referral_ids))).order_by(Clock.due_at)
    )
    found: dict[UUID, list[Clock]] = {}
    for clock in rows:
        found.setdefault(clock.referral_id, []).append(clock)
    return found


# -- the net -----------------------------------------------------------------------------------

_LATE: Any = bindparam("late")
_FORGOTTEN = Question(
    union_all(
        select(literal(-1).label("turn"), Clock.id).where(
            Clock.stopped_at.is_(None), Clock.breached_at.is_(None), Clock.due_at < _LATE
        ),
        select(Referral.turn, Referral.id).where(
            Referral.climbs_at.is_not(None), Referral.climbs_at < _LATE
        ),
    ).limit(400)
)
# A job is never this late unless it was lost with its machine.
_SLACK = timedelta(seconds=5)


async def forgotten(ground: Ground) -> tuple[list[UUID], list[tuple[UUID, int]]]:
    """Return the deadlines, and the escalations with their turn, whose job did not run in time."""
    late = ground.clock.now() - _SLACK
    rows = await ground.database.quick.rows(_FORGOTTEN, late=late)
    clocks = [row["id"] for row in rows if row["turn"] < 0]
    return clocks, [(row["id"], row["turn"]) for row in rows if row["turn"] >= 0]
