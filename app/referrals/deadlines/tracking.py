"""Deadlines, to the second: started and stopped by what happens, checked by jobs."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import bindparam, delete, func, literal, select, union_all

from app.database.quick import Question
from app.database.topics import Topic
from app.definitions.risk import Urgency
from app.errors import UnknownDefinition
from app.jobs.names import Task
from app.referrals.directory.models import Agency
from app.referrals.library import protocols_of
from app.referrals.log_kinds import LogKind
from app.referrals.models import Deadline, DeadlineBreach, Dispatch, Recipient, Referral
from app.referrals.protocol import From, Protocol
from app.referrals.scopes import lock_referral, reads_referral
from app.referrals.states import OVER, DeadlineKind, ForWhom, NoticeKind, ReferralState
from app.referrals.trail import PROGRAM_ITSELF, add_notice, note
from app.staff.models import Staff
from app.work import Ground, Work

# At these urgencies a missed deadline means that a child still waits for help.
_GRAVE = (Urgency.IMMEDIATE, Urgency.URGENT)


# These deadlines have one time in the protocol, whatever the urgency.
_OWN_TIME = (DeadlineKind.HAND_OVER, DeadlineKind.TEAM, DeadlineKind.FEEDBACK)


def protocol_of(work: Work, referral: Referral) -> Protocol:
    """Return the protocol under which a referral was opened. Raises UnknownDefinition."""
    key = (referral.protocol, referral.protocol_version)
    try:
        return protocols_of(work.ground).protocols[key]
    except KeyError:
        raise UnknownDefinition() from None


def start_from(work: Work, referral: Referral, moment: From) -> None:
    """Start the deadlines of a locked referral that run from `moment`, which is now."""
    protocol = protocol_of(work, referral)
    for rule in protocol.rule(referral.urgency).deadlines:
        if rule.from_ == moment:
            _add(work, referral, rule.deadline, protocol.due(rule, work.now))


def _add(work: Work, referral: Referral, kind: DeadlineKind, due: datetime) -> None:
    deadline = Deadline(
        id=uuid4(), referral_id=referral.id, kind=kind.value, started_at=work.now, due_at=due
    )
    work.session.add(deadline)
    _set(work, deadline)


def _set(work: Work, deadline: Deadline) -> None:
    wait = max(deadline.due_at - work.now, timedelta(0))
    work.defer(Task.DEADLINE, delay=wait or None, deadline_id=str(deadline.id))
    work.announce(Topic.DEADLINES)


async def _deadline_of(work: Work, referral: Referral, kind: DeadlineKind) -> Deadline | None:
    await work.session.flush()
    return await work.session.scalar(
        select(Deadline).where(Deadline.referral_id == referral.id, Deadline.kind == kind.value)
    )


async def run_hand_over(work: Work, referral: Referral) -> datetime:
    """Start the deadline for an agency to take over from our own staff. Return when it is due."""
    due = work.now + protocol_of(work, referral).hand_over
    deadline = await _deadline_of(work, referral, DeadlineKind.HAND_OVER)
    if deadline is None:
        _add(work, referral, DeadlineKind.HAND_OVER, due)
    else:
        deadline.started_at, deadline.due_at = work.now, due
        deadline.stopped_at = deadline.breached_at = None
        _set(work, deadline)
    return due


async def run_details(work: Work, referral: Referral, *, done: bool) -> None:
    """Start the deadline to open the details, for an agency that has just acknowledged.

    It starts anew for each agency. With `done` the agency has the details already.
    """
    protocol = protocol_of(work, referral)
    rule = protocol.rule(referral.urgency).deadline(DeadlineKind.DETAILS)
    deadline = await _deadline_of(work, referral, DeadlineKind.DETAILS)
    if rule is None or done:
        await stop(work, referral, DeadlineKind.DETAILS)
    elif deadline is None:
        _add(work, referral, DeadlineKind.DETAILS, protocol.due(rule, work.now))
    else:
        deadline.started_at, deadline.due_at = work.now, protocol.due(rule, work.now)
        deadline.stopped_at = deadline.breached_at = deadline.breached_by = None
        _set(work, deadline)


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
        await stop(work, referral, DeadlineKind.TEAM)
        return
    due = max(row.wanted_at, row.asked_at) + protocol_of(work, referral).team_late
    deadline = await _deadline_of(work, referral, DeadlineKind.TEAM)
    if deadline is None:
        _add(work, referral, DeadlineKind.TEAM, due)
    elif deadline.stopped_at is not None or deadline.due_at != due:
        _start_again(work, deadline, due)


async def run_feedback(work: Work, referral: Referral) -> None:
    """Set the deadline to tell the professional who reported the outcome of a referral."""
    wanted = referral.wants_feedback and referral.feedback_at is None
    if not wanted or referral.state != ReferralState.COMPLETED:
        await stop(work, referral, DeadlineKind.FEEDBACK)
        return
    deadline = await _deadline_of(work, referral, DeadlineKind.FEEDBACK)
    due = (referral.completed_at or work.now) + protocol_of(work, referral).feedback
    if deadline is None:
        _add(work, referral, DeadlineKind.FEEDBACK, due)
    elif deadline.stopped_at is not None:
        _start_again(work, deadline, due)


def _start_again(work: Work, deadline: Deadline, due: datetime) -> None:
    deadline.started_at, deadline.due_at = work.now, due
    deadline.stopped_at = deadline.breached_at = deadline.breached_by = None
    _set(work, deadline)


async def start_once(work: Work, referral: Referral, moment: From) -> None:
    """Do the same as `start_from`, for a moment that may come again after a rejection."""
    protocol = protocol_of(work, referral)
    for rule in protocol.rule(referral.urgency).deadlines:
        if rule.from_ != moment or rule.deadline is DeadlineKind.DETAILS:
            continue
        deadline = await _deadline_of(work, referral, rule.deadline)
        if deadline is None:
            _add(work, referral, rule.deadline, protocol.due(rule, work.now))
        elif deadline.stopped_at is not None and not _stays_done(referral, rule.deadline):
            deadline.stopped_at = None
            _set(work, deadline)


def _stays_done(referral: Referral, kind: DeadlineKind) -> bool:
    """Return whether this was done for the child and stays done when another agency takes over."""
    return kind in (DeadlineKind.SEEN, DeadlineKind.WRITTEN) and has_happened(referral, kind)


def has_happened(referral: Referral, kind: DeadlineKind, holder: Recipient | None = None) -> bool:
    """Return whether the event was done that a deadline waited for; otherwise it only stopped.

    `holder` is the recipient that has the referral.
    """
    done = {
        DeadlineKind.DETAILS: holder.details_at if holder else None,
        DeadlineKind.ACKNOWLEDGE: referral.acknowledged_at,
        DeadlineKind.HAND_OVER: None if referral.held_by_staff else referral.acknowledged_at,
        DeadlineKind.SEEN: referral.seen_at,
        DeadlineKind.WRITTEN: referral.written_at,
        DeadlineKind.FOLLOW_UP: referral.completed_at,
        # A team's deadline stops when the team arrives, or when it is called off.
        DeadlineKind.TEAM: None,
        DeadlineKind.FEEDBACK: referral.feedback_at,
    }
    return done[kind] is not None


async def stop(work: Work, referral: Referral, *kinds: DeadlineKind) -> None:
    """Stop deadlines of a locked referral: their event has happened, or never will."""
    await work.session.flush()
    wanted = [kind.value for kind in kinds] or list(DeadlineKind)
    rows = await work.session.scalars(
        select(Deadline).where(
            Deadline.referral_id == referral.id,
            Deadline.kind.in_(wanted),
            Deadline.stopped_at.is_(None),
        )
    )
    for deadline in rows.all():
        deadline.stopped_at = work.now
    work.announce(Topic.DEADLINES)


async def follow_urgency(
    work: Work, referral: Referral, moments: dict[From, datetime | None]
) -> None:
    """Set the deadlines of a locked referral to the times of its new urgency.

    Running ones keep the moment from which they run; `moments` says when each moment was.
    """
    protocol = protocol_of(work, referral)
    rules = {rule.deadline: rule for rule in protocol.rule(referral.urgency).deadlines}
    await work.session.flush()
    rows = await work.session.scalars(select(Deadline).where(Deadline.referral_id == referral.id))
    known = {DeadlineKind(deadline.kind): deadline for deadline in rows.all()}
    for kind, deadline in known.items():
        if deadline.stopped_at is not None or kind in _OWN_TIME:
            continue
        if kind not in rules:
            deadline.stopped_at = work.now
            continue
        deadline.due_at = protocol.due(rules[kind], deadline.started_at)
        if deadline.due_at > work.now and deadline.breached_at is not None:
            # At the new urgency this is not a breach.
            await work.session.execute(
                delete(DeadlineBreach).where(
                    DeadlineBreach.deadline_id == deadline.id,
                    DeadlineBreach.at == deadline.breached_at,
                )
            )
            deadline.breached_at = deadline.breached_by = None
        _set(work, deadline)
    holder = None
    if referral.recipient_id is not None:
        holder = await work.session.get(Recipient, referral.recipient_id)
    for kind, rule in rules.items():
        start = moments.get(rule.from_)
        if kind in known or start is None or has_happened(referral, kind, holder):
            continue
        if kind is DeadlineKind.DETAILS and referral.held_by_staff:
            continue
        deadline = Deadline(
            id=uuid4(),
            referral_id=referral.id,
            kind=kind.value,
            started_at=start,
            due_at=protocol.due(rule, start),
        )
        work.session.add(deadline)
        _set(work, deadline)


async def run_on(work: Work, referral: Referral, kind: DeadlineKind) -> None:
    """Resume a deadline whose event was undone; it keeps the time at which it was due."""
    deadline = await _deadline_of(work, referral, kind)
    if deadline is not None and deadline.stopped_at is not None:
        deadline.stopped_at = None
        _set(work, deadline)


async def ring(work: Work, deadline_id: UUID) -> Referral | None:
    """Check a deadline that may be due. Return the referral if this recorded a new breach."""
    referral_id = await work.session.scalar(
        select(Deadline.referral_id).where(Deadline.id == deadline_id)
    )
    if referral_id is None:
        return None
    referral = await lock_referral(work, referral_id)
    deadline = await work.session.get(Deadline, deadline_id, populate_existing=True)
    assert deadline is not None
    if deadline.stopped_at is not None or deadline.breached_at is not None:
        return None
    if deadline.due_at > work.now:
        # The deadline was moved in the meantime, or this machine's clock is behind.
        _set(work, deadline)
        return None
    if ReferralState(referral.state) in OVER:
        deadline.stopped_at = work.now
        return None
    deadline.breached_at, deadline.breached_by = work.now, referral.recipient_id
    work.session.add(
        DeadlineBreach(
            deadline_id=deadline.id,
            recipient_id=referral.recipient_id,
            due_at=deadline.due_at,
            at=work.now,
        )
    )
    note(
        work,
        referral,
        LogKind.DEADLINE_MISSED,
        PROGRAM_ITSELF,
        deadline=deadline.kind,
        due_at=deadline.due_at.isoformat(),
        started_at=deadline.started_at.isoformat(),
    )
    grave = referral.urgency in _GRAVE or deadline.kind == DeadlineKind.HAND_OVER
    # The written form is the owner's to send; every other breach goes to the supervisors, too.
    only_owner = deadline.kind == DeadlineKind.WRITTEN and not grave
    whom = ForWhom.OWNER if only_owner else ForWhom.SUPERVISORS
    add_notice(work, referral, NoticeKind.BREACH, for_whom=whom, deadline=deadline.kind)
    if whom is ForWhom.SUPERVISORS:
        add_notice(
            work, referral, NoticeKind.BREACH, for_whom=ForWhom.OWNER, deadline=deadline.kind
        )
    work.announce(Topic.DEADLINES)
    return referral


# -- reading -----------------------------------------------------------------------------------


class RunningDeadline(NamedTuple):
    """A running deadline with its referral, the agency that has it, and its owner."""

    deadline: Deadline
    referral: Referral
    agency: str
    owner: str


async def count_running(work: Work, staff: Staff) -> int:
    """Return how many running deadlines a member of staff may see."""
    return (
        await work.session.scalar(
            select(func.count())
            .select_from(Deadline)
            .join(Referral, Referral.id == Deadline.referral_id)
            .where(Deadline.stopped_at.is_(None), reads_referral(staff))
        )
        or 0
    )


class DueSoon(NamedTuple):
    """How many deadlines that a person may see are over, and how many are close."""

    soon: int
    over: int


async def count_due(work: Work, staff: Staff, within: timedelta) -> DueSoon:
    """Count the running deadlines that are over, and those that run out within a time."""
    row = await work.session.execute(
        select(
            func.count().filter(Deadline.breached_at.is_(None)),
            func.count().filter(Deadline.breached_at.is_not(None)),
        )
        .select_from(Deadline)
        .join(Referral, Referral.id == Deadline.referral_id)
        .where(
            Deadline.stopped_at.is_(None),
            Deadline.due_at <= work.now + within,
            reads_referral(staff),
        )
    )
    soon, over = row.one()
    return DueSoon(soon, over)


async def running(work: Work, staff: Staff, limit: int = 500) -> list[RunningDeadline]:
    """Return the running deadlines that a member of staff may see, the nearest first."""
    rows = await work.session.execute(
        select(Deadline, Referral, Agency.name, Staff.name)
        .join(Referral, Referral.id == Deadline.referral_id)
        .join(Agency, Agency.id == Referral.agency_id, isouter=True)
        .join(Staff, Staff.id == Referral.owner_id)
        .where(Deadline.stopped_at.is_(None), reads_referral(staff))
        .order_by(Deadline.due_at, Deadline.id)
        .limit(limit)
    )
    return [RunningDeadline(c, r, agency or "", owner) for c, r, agency, owner in rows]


async def deadlines_of(work: Work, referral_ids: Iterable[UUID]) -> dict[UUID, list[Deadline]]:
    """Return the deadlines of some referrals, the nearest first."""
    rows = await work.session.scalars(
        select(Deadline)
        .where(Deadline.referral_id.in_(list(referral_ids)))
        .order_by(Deadline.due_at)
    )
    found: dict[UUID, list[Deadline]] = {}
    for deadline in rows:
        found.setdefault(deadline.referral_id, []).append(deadline)
    return found


# -- the net -----------------------------------------------------------------------------------

_LATE: Any = bindparam("late")
_FORGOTTEN = Question(
    union_all(
        select(literal(-1).label("turn"), Deadline.id).where(
            Deadline.stopped_at.is_(None), Deadline.breached_at.is_(None), Deadline.due_at < _LATE
        ),
        select(Referral.turn, Referral.id).where(
            Referral.escalates_at.is_not(None), Referral.escalates_at < _LATE
        ),
    ).limit(400)
)
# A job is never this late unless it was lost with its machine.
_SLACK = timedelta(seconds=5)


async def forgotten(ground: Ground) -> tuple[list[UUID], list[tuple[UUID, int]]]:
    """Return the deadlines, and the escalations with their turn, whose job did not run in time."""
    late = ground.clock.now() - _SLACK
    rows = await ground.database.quick.rows(_FORGOTTEN, late=late)
    deadlines = [row["id"] for row in rows if row["turn"] < 0]
    return deadlines, [(row["id"], row["turn"]) for row in rows if row["turn"] >= 0]
