"""A duty that repeats, changed from one day on: this day and all later ones."""

from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from app.errors import Invalid
from app.routing.rota import changes, ending_shifts, free, giving, roster, stretches
from app.routing.rota.models import ShiftRow
from app.routing.rota.on_duty import Rota
from app.routing.rota.shifts import Place, duties
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

_DAY = timedelta(days=1)
# For this time ahead the colleague has to be free. What is farther away is seen in time.
_LOOKED_AT = timedelta(days=28)


async def move(work: Work, by: Staff | None, was: Place, to: Place) -> Place:
    """Change a duty that repeats, on this day and all later ones: times, person, layer.

    The days stay: the shift ends the day before, and another begins. Raises Invalid, NotAllowed,
    NotFound, ChangedMeanwhile, OnDutyAlready, AbsentThen, CutByAnother, AlwaysOnDuty.
    """
    stretches.check_plans(by)
    await roster.lock_rota(work)
    found = await roster.rota_now(work)
    row, day = await _shift_at(work, found, was)
    if to == was:
        return was
    staff = await changes.taker(work, to.counsellor_id)
    changes.check_span(work, to.start, to.end)
    zone = ZoneInfo(row.timezone)
    start, end = (at.astimezone(zone).replace(tzinfo=None) for at in (to.start, to.end))
    if start.date() != day:
        raise Invalid(
            "A duty that repeats keeps its days. Change its times, its person or its kind, or end "
            "it and add another."
        )
    if to.start < work.now:
        raise Invalid("The beginning is in the past. Choose a later one.")
    made = await giving.add_rest(
        work,
        row,
        staff,
        day,
        starts_at=start.time(),
        minutes=int((end - start).total_seconds() // 60),
        layer=to.layer,
    )
    await _check_later(work, found, row, made, day, to)
    await ending_shifts.end_shift(work, row.id, day - _DAY)
    await work.session.flush()
    write_entry(
        work,
        AuditLog.DUTY_MOVED,
        str(was.counsellor_id),
        before=stretches.for_log(was),
        after=stretches.for_log(to),
        later=True,
    )
    return to


async def remove(work: Work, by: Staff | None, was: Place) -> None:
    """Remove a duty that repeats, on this day and all later ones.

    Raises Invalid, NotAllowed, ChangedMeanwhile, CutByAnother, AlwaysOnDuty.
    """
    stretches.check_plans(by)
    await roster.lock_rota(work)
    row, day = await _shift_at(work, await roster.rota_now(work), was)
    await ending_shifts.end_shift(work, row.id, day - _DAY)
    await work.session.flush()
    write_entry(
        work,
        AuditLog.DUTY_REMOVED,
        str(was.counsellor_id),
        before=stretches.for_log(was),
        after=None,
        later=True,
    )


async def _shift_at(work: Work, found: Rota, was: Place) -> tuple[ShiftRow, date]:
    """Return the shift of a stretch, and the day of it. Raises Invalid, CutByAnother,
    AlwaysOnDuty."""
    duty = stretches.find_duty(work, found, was)
    if duty.shift_id is None:
        raise Invalid("This duty does not repeat. Change this day alone.")
    if was.start <= work.now:
        raise Invalid("This duty has begun. Change it alone, or choose a later day of it.")
    return await stretches.shift_of_duty(work, found, duty)


async def _check_later(
    work: Work, found: Rota, row: ShiftRow, made: ShiftRow, day: date, to: Place
) -> None:
    """Check that the person is free on this day, and on duty on none of the later ones."""
    ended = tuple(
        replace(one, last_on=day - _DAY) if one.id == row.id else one for one in found.shifts
    )
    before, shift = replace(found, shifts=ended), roster.shift_of(made)
    staff = await changes.taker(work, to.counsellor_id)
    await free.check_free(work, before, staff, to)
    for duty in duties(shift, to.end, to.end + _LOOKED_AT, found.holidays):
        try:
            await free.check_free(work, before, staff, duty.place)
        except free.AbsentThen:
            # An absence cuts the duty of its days, as it does that of any shift.
            continue
