"""Changes to the rota: absences, extra stretches, swaps."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, or_, select

from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.routing.rota import free, on_duty, roster
from app.routing.rota.models import LIVE, RotaChange, RotaChangeState
from app.routing.rota.on_duty import ChangeKind
from app.routing.rota.shifts import Place
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

_LONGEST = timedelta(days=400)


class AlreadyDecided(Conflict):
    default = "This change has already been decided."


async def taker(work: Work, staff_id: UUID) -> Staff:
    """Return a member of staff who can be on the rota. Raises NotFound."""
    # As it is now: the account may have been deactivated since the request read it.
    staff = await work.session.get(Staff, staff_id, populate_existing=True)
    if staff is None or not staff.active or not may(staff.role, Permission.TAKE_CALLS):
        raise NotFound("This person was not found, or does not take calls.")
    return staff


async def people_of_rota(work: Work) -> list[Staff]:
    """Return all who can be on the rota, by name."""
    rows = await work.session.scalars(select(Staff).where(Staff.active).order_by(Staff.name))
    return [staff for staff in rows if may(staff.role, Permission.TAKE_CALLS)]


# Limits for one person's future changes: each change makes the rota slower to compute.
_MOST = 100
_FURTHEST = timedelta(days=3 * 366)


def check_span(work: Work, from_at: datetime, until_at: datetime) -> None:
    """Check the time span of a change. Raises Invalid."""
    if not from_at.year > 2000 or until_at - work.now > _FURTHEST:
        raise Invalid("A change of the rota must be within the next three years.")
    if not from_at < until_at:
        raise Invalid("The end must be after the beginning.")
    if until_at - from_at > _LONGEST:
        raise Invalid("That is longer than a year. Add a shift or end one instead.")
    if until_at <= work.now:
        raise Invalid("That is over already: the rota of the past is not changed.")


def _check_may(by: Staff | None, about: UUID) -> None:
    """Check that a person may change this duty; None is the operator. Raises NotAllowed."""
    if by is not None and by.id != about and not may(by.role, Permission.PLAN_ROSTER):
        raise NotAllowed("You can change only your own duty. Ask a person who plans the rota.")


def _plans(by: Staff | None) -> bool:
    """Return whether a person plans the rota; the operator does."""
    return by is None or may(by.role, Permission.PLAN_ROSTER)


async def room_left(work: Work, staff_id: UUID) -> int:
    """Return how many future changes a person can still have."""
    open_ones = select(func.count()).where(
        RotaChange.counsellor_id == staff_id,
        RotaChange.state.in_(LIVE),
        RotaChange.until_at > work.now,
    )
    return _MOST - (await work.session.scalar(open_ones) or 0)


async def add_row(work: Work, row: RotaChange) -> RotaChange:
    """Store a change, and write it into the log. Raises Conflict if there are too many."""
    if await room_left(work, row.counsellor_id) <= 0:
        raise Conflict(
            "There are already %(most)s future changes. Withdraw some, or end a shift.", most=_MOST
        )
    return await store(work, row)


async def store(work: Work, row: RotaChange) -> RotaChange:
    """Store a change that takes the place of others, and write it into the log."""
    work.session.add(row)
    await work.session.flush()
    write_entry(
        work,
        AuditLog.ROTA_CHANGE_MADE,
        str(row.counsellor_id),
        kind=row.kind,
        change=str(row.id),
        before=None,
        after=for_log(row),
    )
    work.announce(Topic.ROSTER)
    return row


def for_log(row: RotaChange) -> dict[str, str | None]:
    """Return a change as the log holds it: its reason is not there."""
    return {
        "counsellor": str(row.counsellor_id),
        "instead": str(row.instead_id) if row.instead_id is not None else None,
        "from_at": row.from_at.isoformat(),
        "until_at": row.until_at.isoformat(),
        "layer": row.layer,
        "state": row.state,
        "open_shift": str(row.open_shift_id) if row.open_shift_id is not None else None,
    }


async def be_absent(
    work: Work,
    by: Staff | None,
    staff_id: UUID,
    from_at: datetime,
    until_at: datetime,
    reason: str = "",
) -> RotaChange:
    """Record an absence: one's own, or by a planner. Raises Invalid, NotAllowed, NotFound."""
    check_span(work, from_at, until_at)
    _check_may(by, staff_id)
    await roster.lock_rota(work)
    await taker(work, staff_id)
    return await add_row(
        work,
        RotaChange(
            id=uuid4(),
            kind=ChangeKind.ABSENCE.value,
            counsellor_id=staff_id,
            from_at=from_at,
            until_at=until_at,
            reason=check_reason(reason),
            state=RotaChangeState.IN_FORCE.value,
            made_by=by.id if by is not None else None,
            made_at=work.now,
            settled_at=work.now,
        ),
    )


def new_extra(work: Work, to: Place, reason: str = "") -> RotaChange:
    """Return a stretch of duty besides the shifts, in force from now on. Raises Invalid."""
    return RotaChange(
        id=uuid4(),
        kind=ChangeKind.EXTRA.value,
        counsellor_id=to.counsellor_id,
        layer=to.layer.value,
        from_at=to.start,
        until_at=to.end,
        reason=check_reason(reason),
        state=RotaChangeState.IN_FORCE.value,
        made_by=work.actor.staff_id,
        made_at=work.now,
        settled_at=work.now,
    )


async def swap(
    work: Work,
    by: Staff | None,
    staff_id: UUID,
    instead_id: UUID,
    from_at: datetime,
    until_at: datetime,
    reason: str = "",
) -> RotaChange:
    """Let a colleague take over a stretch of a counsellor's duty.

    A planner's swap is in force at once; a counsellor's swap waits until the colleague agrees.
    Raises Invalid, NotAllowed, NotFound.
    """
    check_span(work, from_at, until_at)
    _check_may(by, staff_id)
    await roster.lock_rota(work)
    staff, instead = await taker(work, staff_id), await taker(work, instead_id)
    if staff_id == instead_id:
        raise Invalid("A swap needs two different people. Choose a colleague.")
    if not await _check_takes_over(work, staff, instead, from_at, until_at):
        raise Invalid(
            "%(name)s is not on duty then. There is nothing to take over.", name=staff.name
        )
    at_once = _plans(by)
    return await add_row(
        work,
        RotaChange(
            id=uuid4(),
            kind=ChangeKind.SWAP.value,
            counsellor_id=staff_id,
            instead_id=instead_id,
            from_at=from_at,
            until_at=until_at,
            reason=check_reason(reason),
            state=(RotaChangeState.IN_FORCE if at_once else RotaChangeState.ASKED).value,
            made_by=by.id if by is not None else None,
            made_at=work.now,
            settled_at=work.now if at_once else None,
        ),
    )


async def _check_takes_over(
    work: Work, staff: Staff, instead: Staff, from_at: datetime, until_at: datetime
) -> int:
    """Check that a colleague is free for the duty in a span. Return how many stretches it is.

    Raises Invalid, OnDutyAlready, AbsentThen.
    """
    found, count = await roster.rota_now(work), 0
    for duty in on_duty.stretches(found.of([staff.id]), from_at, until_at):
        if duty.counsellor_id == staff.id:
            begin, end = max(duty.start, from_at), min(duty.end, until_at)
            await free.check_free(work, found, instead, Place(instead.id, begin, end, duty.layer))
            count += 1
    return count


async def fallen_out(
    work: Work, staff_id: UUID, from_at: datetime, until_at: datetime
) -> list[Place]:
    """Return the duty of a person in a span: what no person works if they are absent."""
    found = (await roster.rota_now(work)).of([staff_id])
    return [
        replace(
            duty.place,
            start=max(duty.start, from_at, work.now),
            end=min(duty.end, until_at),
        )
        for duty in on_duty.stretches(found, max(from_at, work.now), until_at)
        if duty.counsellor_id == staff_id
    ]


def check_reason(text: str) -> str:
    """Return a reason as it is stored. Raises Invalid."""
    text = " ".join(text.split())
    if len(text) > 200:
        raise Invalid("A reason has at most 200 characters.")
    return text


async def locked(work: Work, change_id: UUID) -> RotaChange:
    """Lock a change. Raises NotFound."""
    row = await work.session.get(
        RotaChange, change_id, with_for_update=True, populate_existing=True
    )
    if row is None:
        raise NotFound("There is no such change of the rota.")
    return row


def settle(work: Work, row: RotaChange, state: RotaChangeState, action: AuditLog) -> None:
    """Bring a locked change into another state, and write it into the log."""
    before = for_log(row)
    row.state, row.settled_at = state.value, work.now
    write_entry(
        work,
        action,
        str(row.counsellor_id),
        kind=row.kind,
        change=str(row.id),
        before=before,
        after=for_log(row),
    )
    work.announce(Topic.ROSTER)


def end_now(work: Work, row: RotaChange) -> None:
    """End a locked change: what it was until now stays, and one that has not begun is withdrawn."""
    if row.from_at >= work.now:
        settle(work, row, RotaChangeState.WITHDRAWN, AuditLog.ROTA_CHANGE_WITHDRAWN)
        return
    before = for_log(row)
    # At other times it takes no place of an open shift any more.
    row.until_at, row.open_shift_id = work.now, None
    write_entry(
        work,
        AuditLog.ROTA_CHANGE_WITHDRAWN,
        str(row.counsellor_id),
        kind=row.kind,
        change=str(row.id),
        before=before,
        after=for_log(row),
    )
    work.announce(Topic.ROSTER)


async def answer_swap(work: Work, by: Staff | None, change_id: UUID, agrees: bool) -> None:
    """Accept or refuse a swap that was asked for. Raises NotFound, AlreadyDecided, Invalid."""
    await roster.lock_rota(work)
    row = await locked(work, change_id)
    if not _plans(by) and (by is None or row.instead_id != by.id):
        raise NotFound("There is no such change of the rota.")
    if row.state != RotaChangeState.ASKED:
        raise AlreadyDecided()
    if agrees and row.until_at <= work.now:
        raise Invalid("The time of this swap is over.")
    if agrees and row.instead_id is not None:
        staff, instead = await taker(work, row.counsellor_id), await taker(work, row.instead_id)
        await _check_takes_over(work, staff, instead, row.from_at, row.until_at)
    state = RotaChangeState.IN_FORCE if agrees else RotaChangeState.REFUSED
    settle(work, row, state, AuditLog.ROTA_CHANGE_SETTLED)


async def withdraw(work: Work, by: Staff | None, change_id: UUID) -> None:
    """Withdraw a change: planners any, others their own absence or open swap.

    Raises NotFound, AlreadyDecided, Invalid.
    """
    await roster.lock_rota(work)
    row = await locked(work, change_id)
    own = by is not None and row.made_by == by.id
    own = own and (row.kind == ChangeKind.ABSENCE or row.state == RotaChangeState.ASKED)
    if not own and not _plans(by):
        raise NotFound("Not found, or you cannot withdraw this change.")
    if row.state not in LIVE:
        raise AlreadyDecided()
    if row.until_at <= work.now:
        raise Invalid("That is over already: the rota of the past is not changed.")
    settle(work, row, RotaChangeState.WITHDRAWN, AuditLog.ROTA_CHANGE_WITHDRAWN)


async def changes_between(work: Work, since: datetime, until: datetime) -> list[RotaChange]:
    """Return changes that touch a window and are asked for or in force, by their beginning."""
    rows = await work.session.scalars(
        select(RotaChange)
        .where(
            RotaChange.state.in_(LIVE),
            RotaChange.from_at < until,
            RotaChange.until_at > since,
        )
        .order_by(RotaChange.from_at, RotaChange.id)
    )
    return list(rows)


async def asked_of(work: Work, staff: Staff) -> list[RotaChange]:
    """Return open swaps that wait for this person's decision, or that they asked for."""
    rows = await work.session.scalars(
        select(RotaChange)
        .where(
            RotaChange.state == RotaChangeState.ASKED,
            RotaChange.until_at > work.now,
            or_(RotaChange.instead_id == staff.id, RotaChange.made_by == staff.id),
        )
        .order_by(RotaChange.from_at)
    )
    return list(rows)
