"""The duty that a person has ahead: given to a colleague, or ended, which leaves it uncovered."""

import re
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import or_, select

from app.database.topics import Topic
from app.routing.rota import changes, roster
from app.routing.rota.models import LIVE, RotaChange, RotaChangeState, ShiftRow
from app.routing.rota.on_duty import ChangeKind
from app.routing.rota.shifts import days_of
from app.staff.models import Staff
from app.work import Work

# A rule of which no day comes within this time is over.
_LOOKED_AHEAD = timedelta(days=5 * 366)


async def shifts_ahead(work: Work, staff: Staff) -> list[ShiftRow]:
    """Return the shifts of a person that are not over."""
    rows = await work.session.scalars(
        select(ShiftRow).where(ShiftRow.counsellor_id == staff.id).order_by(ShiftRow.created_at)
    )
    return [
        row
        for row in rows
        if row.last_on is None or row.last_on >= roster.local_day(work, row.timezone)
    ]


async def stretches_ahead(work: Work, staff: Staff) -> list[RotaChange]:
    """Return the changes of the rota by which a person works a stretch that is not over."""
    rows = await work.session.scalars(
        select(RotaChange)
        .where(
            RotaChange.state.in_(LIVE),
            RotaChange.until_at > work.now,
            or_(
                (RotaChange.kind == ChangeKind.EXTRA) & (RotaChange.counsellor_id == staff.id),
                RotaChange.instead_id == staff.id,
            ),
        )
        .order_by(RotaChange.from_at)
    )
    return list(rows)


async def give_duty(work: Work, staff: Staff, to: Staff | None) -> int:
    """Give the duty that a person has ahead to a colleague; None leaves it uncovered.

    Return how many shifts and stretches it was. Shifts begin for the colleague today, at the same
    times. Raises Invalid if the colleague cannot have one of them.
    """
    shifts, stretches = await shifts_ahead(work, staff), await stretches_ahead(work, staff)
    for row in shifts:
        if to is not None:
            await _give_shift(work, row, to)
        await changes.end_shift(work, row.id, None)
    for change in stretches:
        await _give_stretch(work, change, to)
    await work.session.flush()
    work.announce(Topic.ROSTER)
    return len(shifts) + len(stretches)


async def _give_shift(work: Work, row: ShiftRow, to: Staff) -> None:
    """Add the rest of a shift for a colleague. It begins with its next day, so that a rule like
    every second week keeps its weeks, and the rota of the past stays as it was.
    """
    first_on = max(row.first_on, roster.local_day(work, row.timezone))
    if row.recurrence is not None:
        shift = roster.shift_of(row)
        found = next(days_of(shift, first_on, first_on + _LOOKED_AHEAD), None)
        if found is None:
            return
        first_on = found
    await add_rest(work, row, to, first_on)


async def add_rest(
    work: Work, row: ShiftRow, to: Staff, first_on: date, **changed: Any
) -> ShiftRow:
    """Add what is left of a shift from one of its days on, for a person; `changed` are columns of
    the shift that are different from then on.
    """
    shift, recurrence = roster.shift_of(row), row.recurrence
    if recurrence is not None and "COUNT" in recurrence.upper():
        left = len(list(days_of(shift, first_on, first_on + _LOOKED_AHEAD)))
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


async def _give_stretch(work: Work, change: RotaChange, to: Staff | None) -> None:
    """Withdraw a stretch; the colleague works it instead, unless it was theirs to begin with."""
    in_force = change.state == RotaChangeState.IN_FORCE
    change.state, change.settled_at = RotaChangeState.WITHDRAWN.value, work.now
    if to is None or not in_force or to.id == change.counsellor_id:
        return
    begins: datetime = max(change.from_at, work.now)
    is_swap = change.kind == ChangeKind.SWAP
    work.session.add(
        RotaChange(
            id=uuid4(),
            kind=change.kind,
            counsellor_id=change.counsellor_id if is_swap else to.id,
            instead_id=to.id if is_swap else None,
            layer=change.layer,
            from_at=begins,
            until_at=change.until_at,
            reason=change.reason,
            state=RotaChangeState.IN_FORCE.value,
            made_by=work.actor.staff_id,
            made_at=work.now,
            settled_at=work.now,
        )
    )
