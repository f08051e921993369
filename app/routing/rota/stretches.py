"""Single stretches of duty: added, moved, shortened, given to a colleague, and removed.

The page, the interface for programs and the command line use these verbs. A caller of a verb says
where the stretch stood when its reader looked at it: of two people who change one stretch at once,
the second is told. The stretches of a shift recur: what is moved here is one day of it, which is
left out of the shift and stands by itself from then on.
"""

from dataclasses import replace
from datetime import date, datetime, timedelta

from app.database.topics import Topic
from app.errors import ChangedMeanwhile, Conflict, Invalid, NotAllowed, NotFound
from app.routing.rota import changes, free, on_duty, roster
from app.routing.rota.models import RotaChange, RotaChangeState, ShiftRow
from app.routing.rota.on_duty import Rota
from app.routing.rota.shifts import Duty, Place, duties_by_day
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work


class CutByAnother(Conflict):
    default = (
        "A swap or an absence has changed this duty. Withdraw it under Changes first, or choose "
        "the other duty."
    )


class AlwaysOnDuty(Conflict):
    default = "This person is on duty always. End that shift, then add the duty that you want."


def check_plans(by: Staff | None) -> None:
    """Check that a person plans the rota; None is the operator. Raises NotAllowed."""
    if by is not None and not may(by.role, Permission.PLAN_ROSTER):
        raise NotAllowed("You cannot change the rota. Ask a person who plans it.")


async def add(work: Work, by: Staff | None, to: Place, reason: str = "") -> RotaChange:
    """Add a stretch of duty besides the shifts.

    Raises Invalid, NotAllowed, NotFound, OnDutyAlready, AbsentThen.
    """
    check_plans(by)
    await roster.lock_rota(work)
    staff = await changes.taker(work, to.counsellor_id)
    row, _ = await put(work, await roster.rota_now(work), staff, to, reason)
    return row


async def put(
    work: Work, found: Rota, staff: Staff, to: Place, reason: str = ""
) -> tuple[RotaChange, Rota]:
    """Add a stretch to a rota that is locked and was read. Return it, and the rota with it.

    Raises Invalid, OnDutyAlready, AbsentThen, Conflict.
    """
    changes.check_span(work, to.start, to.end)
    await free.check_free(work, found, staff, to)
    row = await changes.add_row(work, changes.new_extra(work, to, reason))
    return row, replace(found, changes=(*found.changes, roster.change_of(row)))


async def repeat(
    work: Work, by: Staff | None, to: Place, rule: str, last_on: date | None
) -> ShiftRow:
    """Let a stretch recur by a rule, from its first day to a last one: a shift.

    Raises Invalid, NotAllowed, NotFound, OnDutyAlready, AbsentThen.
    """
    check_plans(by)
    await roster.lock_rota(work)
    staff = await changes.taker(work, to.counsellor_id)
    changes.check_span(work, to.start, to.end)
    await free.check_free(work, await roster.rota_now(work), staff, to)
    zone = await roster.home_zone(work)
    start, end = (at.astimezone(zone).replace(tzinfo=None) for at in (to.start, to.end))
    return await roster.add_shift(
        work,
        staff,
        recurrence=rule,
        starts_at=start.time(),
        minutes=int((end - start).total_seconds() // 60),
        timezone=zone.key,
        first_on=start.date(),
        last_on=last_on,
        layer=to.layer,
    )


async def move(work: Work, by: Staff | None, was: Place, to: Place) -> Place:
    """Move a stretch of duty: its times, its person, its layer. Return where it stands now.

    If a stretch has begun, only its end is changed.
    Raises Invalid, NotAllowed, NotFound, ChangedMeanwhile, OnDutyAlready, AbsentThen, CutByAnother.
    """
    check_plans(by)
    await roster.lock_rota(work)
    found = await roster.rota_now(work)
    duty = find_duty(work, found, was)
    if to == was:
        return was
    staff = await changes.taker(work, to.counsellor_id)
    changes.check_span(work, to.start, to.end)
    _check_past(work, was, to)
    await free.check_free(work, found, staff, to, besides=duty)
    await _take_out(work, found, duty, to)
    _log(work, AuditLog.DUTY_MOVED, was, to)
    return to


async def remove(work: Work, by: Staff | None, was: Place) -> None:
    """Remove a stretch of duty. One that has begun ends now.

    Raises Invalid, NotAllowed, ChangedMeanwhile, CutByAnother.
    """
    check_plans(by)
    await roster.lock_rota(work)
    found = await roster.rota_now(work)
    duty = find_duty(work, found, was)
    begun = was.start < work.now
    to = Place(was.counsellor_id, was.start, work.now, was.layer) if begun else None
    await _take_out(work, found, duty, to)
    _log(work, AuditLog.DUTY_REMOVED, was, to)


async def stretch_at(work: Work, staff: Staff, start: datetime) -> Place:
    """Return the stretch of a person that begins at an instant. Raises NotFound."""
    found = (await roster.rota_of(work)).of([staff.id])
    for duty in on_duty.stretches(found, start, start + timedelta(minutes=1)):
        if duty.counsellor_id == staff.id and duty.start == start:
            return duty.place
    raise NotFound("%(name)s has no duty that begins then.", name=staff.name)


def find_duty(work: Work, found: Rota, was: Place) -> Duty:
    """Return the stretch that stands at a place. Raises ChangedMeanwhile, Invalid."""
    if was.end <= work.now:
        raise Invalid("That is over already: the rota of the past is not changed.")
    for duty in on_duty.stretches(found.of([was.counsellor_id]), was.start, was.end):
        if duty.place == was:
            return duty
    raise ChangedMeanwhile()


def _check_past(work: Work, was: Place, to: Place) -> None:
    if was.start <= work.now:
        if (was.counsellor_id, was.start, was.layer) != (to.counsellor_id, to.start, to.layer):
            raise Invalid(
                "This duty has begun: only its end can be changed. Add the rest for a colleague."
            )
    elif to.start < work.now:
        raise Invalid("The beginning is in the past. Choose a later one.")


async def _take_out(work: Work, found: Rota, duty: Duty, to: Place | None) -> None:
    """Take a stretch from where it stands, and put it at another place, if there is one."""
    if duty.change_id is not None:
        await _take_out_change(work, await changes.locked(work, duty.change_id), duty, to)
    else:
        await _take_out_day(work, found, duty)
        if to is not None:
            work.session.add(changes.new_extra(work, to))
    await work.session.flush()
    work.announce(Topic.ROSTER)


async def _take_out_change(work: Work, row: RotaChange, duty: Duty, to: Place | None) -> None:
    """Put an extra stretch at another place, or withdraw it. Raises CutByAnother."""
    if (row.counsellor_id, row.from_at, row.until_at) != (
        duty.counsellor_id,
        duty.start,
        duty.end,
    ):
        raise CutByAnother()
    if to is None:
        row.state = RotaChangeState.WITHDRAWN.value
    else:
        if (row.from_at, row.until_at) != (to.start, to.end):
            # At other times it takes no place of the open shift any more.
            row.open_shift_id = None
        row.counsellor_id, row.layer = to.counsellor_id, to.layer.value
        row.from_at, row.until_at = to.start, to.end
    # Of two changes the later counts: this one is now the last.
    row.settled_at = work.now


async def _take_out_day(work: Work, found: Rota, duty: Duty) -> None:
    """Leave the day of a stretch out of its shift. Raises CutByAnother, AlwaysOnDuty."""
    row, day = await shift_of_duty(work, found, duty)
    row.except_on = sorted({*row.except_on, day})


async def shift_of_duty(work: Work, found: Rota, duty: Duty) -> tuple[ShiftRow, date]:
    """Lock the shift of a stretch, and return it with the day of the stretch.

    Raises ChangedMeanwhile, CutByAnother, AlwaysOnDuty.
    """
    row = await work.session.get(
        ShiftRow, duty.shift_id, with_for_update=True, populate_existing=True
    )
    if row is None:
        raise ChangedMeanwhile()
    if row.recurrence is None:
        raise AlwaysOnDuty()
    day = _day_of(row, duty, found.holidays)
    if day is None:
        raise CutByAnother()
    return row, day


def _day_of(row: ShiftRow, duty: Duty, holidays: frozenset[date]) -> date | None:
    """Return the day of a shift whose whole stretch this is, or None if it is only a part."""
    for day, whole in duties_by_day(roster.shift_of(row), duty.start, duty.end, holidays):
        if whole.place == duty.place:
            return day
    return None


def _log(work: Work, action: AuditLog, was: Place, to: Place | None) -> None:
    write_entry(work, action, str(was.counsellor_id), before=for_log(was), after=to and for_log(to))


def for_log(place: Place) -> dict[str, str]:
    """Return a place as the log holds it."""
    return {
        "counsellor": str(place.counsellor_id),
        "from_at": place.start.isoformat(),
        "until_at": place.end.isoformat(),
        "layer": place.layer.value,
    }
