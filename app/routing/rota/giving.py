"""The duty that a person has ahead: given to a colleague, or ended, which leaves it uncovered."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select

from app.database.topics import Topic
from app.errors import Conflict, Joined, Message
from app.routing.rota import changes, ending_shifts, handing_on, roster
from app.routing.rota.handing_on import HandedOn, Rest
from app.routing.rota.models import LIVE, RotaChange, RotaChangeState, ShiftRow
from app.routing.rota.on_duty import ChangeKind
from app.routing.rota.shifts import ALWAYS_UNTIL, Place, days_of, duties, first_instant
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

# The last day of a shift that is not over begins within this time, or has begun.
_SOON = timedelta(days=2)
# A message lists this many stretches at most.
_LISTED = 12


class NotFree(Conflict):
    """The colleague is absent or on duty already for a part of what they would get."""

    def __init__(self, to: Staff, places: Sequence[Place], zone: ZoneInfo) -> None:
        super().__init__(
            "%(name)s is not free for a part of the duty: %(stretches)s. Choose another colleague, "
            "or confirm that this part stays uncovered.",
            name=to.name,
            stretches=spans_message(places, zone),
        )


@dataclass(frozen=True)
class Given:
    """What became of a person's duty: how many shifts and stretches it was, what stays uncovered
    because the colleague is not free, and what others keep by agreed swaps."""

    number: int = 0
    uncovered: tuple[Place, ...] = ()
    kept: tuple[Place, ...] = ()


def spans_message(places: Sequence[Place], zone: ZoneInfo) -> Message:
    """Return from when to when each stretch is, as one message."""
    parts = [
        Message(
            "%(begin)s to %(end)s",
            begin=place.start.astimezone(zone),
            end=place.end.astimezone(zone) if place.end < ALWAYS_UNTIL else "…",
        )
        # What has no end first, so that it is never among the ones that are only counted.
        for place in sorted(places, key=lambda one: (one.end < ALWAYS_UNTIL, one.start))
    ]
    more = len(parts) - _LISTED
    rest = [Message("and %(number)s more", number=more)] if more > 0 else []
    return Joined([*parts[:_LISTED], *rest])


async def shifts_ahead(work: Work, staff: Staff) -> list[ShiftRow]:
    """Return the shifts of a person that are not over; one that runs past its last day is not."""
    rows = await work.session.scalars(
        select(ShiftRow)
        .where(ShiftRow.counsellor_id == staff.id)
        .order_by(ShiftRow.created_at)
        .execution_options(populate_existing=True)
    )
    return [
        row
        for row in rows
        if row.last_on is None
        or row.last_on > roster.local_day(work, row.timezone)
        or any(duties(roster.shift_of(row), work.now, work.now + _SOON))
    ]


async def stretches_ahead(work: Work, staff: Staff) -> list[RotaChange]:
    """Return the changes of the rota by which a person works a stretch that is not over."""
    rows = await work.session.scalars(
        select(RotaChange)
        .where(
            RotaChange.state == RotaChangeState.IN_FORCE,
            RotaChange.until_at > work.now,
            or_(
                (RotaChange.kind == ChangeKind.EXTRA) & (RotaChange.counsellor_id == staff.id),
                RotaChange.instead_id == staff.id,
            ),
        )
        .order_by(RotaChange.from_at)
    )
    return list(rows)


async def count_ahead(work: Work, staff: Staff) -> int:
    """Return how many shifts and stretches a person has ahead, with those that run now."""
    return len(await shifts_ahead(work, staff)) + len(await stretches_ahead(work, staff))


async def foretold(work: Work, staff: Staff) -> HandedOn:
    """Return what agreed swaps keep, and which are withdrawn, if a person's duty is given away."""
    return await handing_on.work_out(work, staff, None, await shifts_ahead(work, staff))


async def give_duty(
    work: Work, staff: Staff, to: Staff | None, *, knowingly: bool = False
) -> Given:
    """Give the duty that a person has ahead to a colleague; None leaves it uncovered.

    A stretch that runs now goes over now. What others took over by agreed swaps stays with them,
    and swaps that are only asked for are withdrawn. May run twice. Raises NotFree if the colleague
    is not free for a part of it; `knowingly`, that part stays uncovered.
    """
    await roster.lock_rota(work)
    found = await handing_on.work_out(work, staff, to, await shifts_ahead(work, staff))
    if to is not None and found.not_free and not knowingly:
        raise NotFree(to, found.not_free, await roster.home_zone(work))
    for shift_id, day in found.left_out:
        row = await work.session.get_one(ShiftRow, shift_id, with_for_update=True)
        ending_shifts.leave_day_out(work, row, day)
    for change in (*found.stretches, *found.swaps, *found.ended):
        changes.end_now(work, change)
    for change in found.asked:
        changes.settle(work, change, RotaChangeState.WITHDRAWN, AuditLog.ROTA_CHANGE_WITHDRAWN)
    await work.session.flush()
    if to is not None:
        for rest in found.rests:
            await _go_on(work, rest, to)
    for row in found.shifts:
        await _end_shift(work, row, found.begun.get(row.id, set()))
    for change in found.made:
        await _keep_place(work, change)
        await changes.store(work, change)
    await work.session.flush()
    work.announce(Topic.ROSTER)
    number = len(found.shifts) + len(found.stretches)
    return Given(number, tuple(found.not_free), tuple(found.kept))


async def _end_shift(work: Work, row: ShiftRow, begun: set[date]) -> None:
    """End a shift, so that it never begins again. What has begun of it stands by itself."""
    zone, today = ZoneInfo(row.timezone), roster.local_day(work, row.timezone)
    for day in sorted(begun):
        ending_shifts.leave_day_out(work, row, day)
    # What was worked of today stays.
    has_begun = first_instant(datetime.combine(today, row.starts_at), zone) < work.now
    last_on = today if row.recurrence is not None and has_begun else None
    if row.last_on is None or row.last_on >= (last_on or today):
        await ending_shifts.end_shift(work, row.id, last_on)


async def _go_on(work: Work, rest: Rest, to: Staff) -> None:
    left_out = sorted({*rest.row.except_on, *rest.left_out})
    await add_rest(work, rest.row, to, rest.first_on, except_on=left_out)


async def _keep_place(work: Work, change: RotaChange) -> None:
    """Let a stretch take its place of an open shift, unless the person has one of it already."""
    if change.open_shift_id is None:
        return
    has = await work.session.scalar(
        select(RotaChange.id).where(
            RotaChange.open_shift_id == change.open_shift_id,
            RotaChange.counsellor_id == change.counsellor_id,
            RotaChange.state == RotaChangeState.IN_FORCE,
        )
    )
    if has is not None:
        change.open_shift_id = None


async def forget_duty(work: Work, staff: Staff, before: datetime) -> None:
    """End what a person who had left still has ahead of what was planned before an instant."""
    await roster.lock_rota(work)
    rows = await work.session.scalars(
        select(RotaChange)
        .where(
            RotaChange.state.in_(LIVE),
            RotaChange.kind != ChangeKind.ABSENCE,
            RotaChange.until_at > work.now,
            RotaChange.made_at <= before,
            or_(RotaChange.counsellor_id == staff.id, RotaChange.instead_id == staff.id),
        )
        .with_for_update()
    )
    for change in rows.all():
        changes.end_now(work, change)
    for row in await shifts_ahead(work, staff):
        if row.created_at <= before:
            await _end_shift(work, row, set())
    await work.session.flush()


async def add_rest(
    work: Work, row: ShiftRow, to: Staff, first_on: date, **changed: Any
) -> ShiftRow:
    """Add what is left of a shift from one of its days on, for a person; `changed` are columns of
    the shift that are different from then on.
    """
    shift, recurrence = roster.shift_of(row), row.recurrence
    if recurrence is not None and "COUNT" in recurrence.upper():
        left = len(list(days_of(shift, first_on, first_on + handing_on.LOOKED_AHEAD)))
        recurrence = re.sub(r"COUNT=\d+", f"COUNT={left}", recurrence, flags=re.IGNORECASE)
    kept = {
        "starts_at": row.starts_at,
        "minutes": row.minutes,
        "timezone": row.timezone,
        "last_on": row.last_on,
        "layer": shift.layer,
        "on_holidays": shift.on_holidays,
        "except_on": row.except_on,
    }
    return await roster.add_shift(
        work, to, recurrence=recurrence, first_on=first_on, **{**kept, **changed}
    )
