"""Shifts that come back week after week: they end, or leave a day out."""

from datetime import date, timedelta
from uuid import UUID

from app.database.topics import Topic
from app.errors import Invalid, NotFound
from app.routing.rota import recurrence, roster
from app.routing.rota.models import ShiftRow
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import Work


async def end_shift(work: Work, shift_id: UUID, last_on: date | None) -> None:
    """End a shift after a last day; without one, it never begins again.

    Raises NotFound, Invalid.
    """
    row = await work.session.get(ShiftRow, shift_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such shift.")
    today = roster.local_day(work, row.timezone)
    if last_on is not None:
        recurrence.check_day(last_on)
    last = last_on if last_on is not None else today - timedelta(days=1)
    if last < today - timedelta(days=1):
        raise Invalid("The rota of the past is not changed.")
    write_entry(
        work,
        AuditLog.SHIFT_ENDED,
        str(row.counsellor_id),
        shift=str(row.id),
        before={"last_on": row.last_on.isoformat() if row.last_on else None},
        after={"last_on": last.isoformat()},
    )
    if last < row.first_on:
        await work.session.delete(row)
    else:
        row.last_on = last
    work.announce(Topic.ROSTER)


async def leave_out(work: Work, shift_id: UUID, day: date) -> None:
    """Leave one day out of a shift. May be called twice. Raises NotFound, Invalid."""
    row = await work.session.get(ShiftRow, shift_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such shift.")
    if day < roster.local_day(work, row.timezone):
        raise Invalid("The rota of the past is not changed.")
    if day not in row.except_on:
        leave_day_out(work, row, day)


def leave_day_out(work: Work, row: ShiftRow, day: date) -> None:
    """Leave a day out of a locked shift, and write it into the log."""
    before = [one.isoformat() for one in row.except_on]
    row.except_on = sorted({*row.except_on, day})
    write_entry(
        work,
        AuditLog.SHIFT_LEFT_OUT,
        str(row.counsellor_id),
        shift=str(row.id),
        before={"left_out": before},
        after={"left_out": [one.isoformat() for one in row.except_on]},
    )
    work.announce(Topic.ROSTER)
