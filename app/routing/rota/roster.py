"""The rota as stored in the database: add shifts, and find out who is on shift."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, select, true

from app.abilities import EndpointKind
from app.calls.hours import OwnDays, is_holiday
from app.calls.lines import finding_lines
from app.database.topics import Topic
from app.errors import Invalid, NotFound
from app.log import log
from app.routing.rota import on_duty, shifts
from app.routing.rota.models import Holiday, RotaChange, RotaChangeState, ShiftRow
from app.routing.rota.recurrence import check_day, check_recurrence, check_zone, trouble_with
from app.routing.rota.takers import TAKERS
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

# A process caches the rota for this long at most; a change of the rota clears the cache at once
# over the bus.
BELIEVED = timedelta(seconds=10)
# Changes that ended longer ago than this are not read.
_LOOKED_BACK = timedelta(days=8)
_LOCK = 710012


async def add_shift(
    work: Work,
    staff: Staff,
    *,
    recurrence: str | None,
    starts_at: time = time(0, 0),
    minutes: int = 1440,
    timezone: str = "UTC",
    first_on: date | None = None,
    last_on: date | None = None,
    layer: shifts.Layer = shifts.Layer.PRIMARY,
    on_holidays: shifts.OnHolidays = shifts.OnHolidays.WORKS,
    except_on: Iterable[date] = (),
) -> ShiftRow:
    """Add a shift to a counsellor's rota; without a recurrence it holds at all times.

    Raises Invalid, and NotFound for an account that is inactive.
    """
    await lock_rota(work)
    zone = check_zone(timezone)
    if not 0 < minutes <= 1440:
        raise Invalid("A shift lasts from 1 minute to 24 hours. Change its beginning or end.")
    recurrence = check_recurrence(recurrence) if recurrence is not None else None
    begins = check_day(first_on or work.now.astimezone(zone).date())
    if last_on is not None:
        check_day(last_on)
    if last_on is not None and last_on < begins:
        raise Invalid("The last day of a shift is before its first day. Choose a later last day.")
    await _check_may_work(work, staff, layer)
    row = ShiftRow(
        id=uuid4(),
        counsellor_id=staff.id,
        recurrence=recurrence,
        starts_at=starts_at,
        minutes=minutes,
        timezone=timezone,
        first_on=begins,
        last_on=last_on,
        layer=layer.value,
        on_holidays=on_holidays.value,
        except_on=sorted(set(except_on)),
        created_at=work.now,
    )
    work.session.add(row)
    await work.session.flush()
    write_entry(
        work,
        AuditLog.SHIFT_ADDED,
        str(staff.id),
        shift=str(row.id),
        before=None,
        after=for_log(row),
    )
    work.announce(Topic.ROSTER)
    return row


async def _check_may_work(work: Work, staff: Staff, layer: shifts.Layer) -> None:
    """Raises Invalid, and NotFound for an account that is inactive."""
    # As it is now: the account may have been deactivated since the request read it.
    fresh = await work.session.get(Staff, staff.id, populate_existing=True)
    if fresh is None or not fresh.active:
        raise NotFound("This person was not found, or does not take calls.")
    if not may(fresh.role, Permission.TAKE_CALLS):
        raise Invalid(
            "%(name)s does not take calls, so they cannot be on the rota.", name=staff.name
        )
    if layer is shifts.Layer.ON_CALL and fresh.endpoint_kind == EndpointKind.BROWSER:
        raise Invalid(
            "%(name)s has no phone, so they cannot have an on-call shift.", name=staff.name
        )


def for_log(row: ShiftRow) -> dict[str, Any]:
    """Return a shift as the log holds it."""
    return {
        "counsellor": str(row.counsellor_id),
        "recurrence": row.recurrence or "always",
        "from": row.starts_at.isoformat("minutes"),
        "minutes": row.minutes,
        "timezone": row.timezone,
        "first_on": row.first_on.isoformat(),
        "last_on": row.last_on.isoformat() if row.last_on else None,
        "layer": row.layer,
        "on_holidays": row.on_holidays,
        "left_out": [day.isoformat() for day in row.except_on or []],
    }


async def rota_of(work: Work) -> on_duty.Rota:
    """Return the rota of all active counsellors, as plain values."""
    known: on_duty.Rota | None = work.ground.memory.recall(Topic.ROSTER, "rota", work.now)
    if known is not None:
        return known
    found = await _read_rota(work)
    work.ground.memory.keep(Topic.ROSTER, "rota", found, work.now + BELIEVED)
    return found


async def rota_then(work: Work, since: datetime) -> on_duty.Rota:
    """Return the rota with every change since an instant, for figures about the past."""
    return await _read_rota(work, since)


async def _read_rota(work: Work, since: datetime | None = None) -> on_duty.Rota:
    looked_back = work.now - _LOOKED_BACK if since is None else since
    # For the past, counsellors who have left since count too.
    takes = and_(Staff.active, Staff.role.in_(TAKERS)) if since is None else true()
    rows = await work.session.scalars(
        select(ShiftRow).join(Staff, Staff.id == ShiftRow.counsellor_id).where(takes)
    )
    changed = await work.session.scalars(
        select(RotaChange)
        .join(Staff, Staff.id == func.coalesce(RotaChange.instead_id, RotaChange.counsellor_id))
        .where(
            RotaChange.state == RotaChangeState.IN_FORCE,
            RotaChange.until_at > looked_back,
            takes,
        )
        .order_by(RotaChange.settled_at, RotaChange.id)
    )
    own = {row.on: row.free for row in await work.session.scalars(select(Holiday))}
    return on_duty.Rota(
        tuple(shift_of(row) for row in rows if _usable(row)),
        tuple(change_of(row) for row in changed),
        await _holidays_of(work, own),
        own,
    )


def _usable(row: ShiftRow) -> bool:
    """Return whether a shift can be read. One unreadable shift must not break the whole rota."""
    trouble = trouble_with(row.recurrence.upper()) if row.recurrence is not None else None
    if trouble is not None:
        log().error("an unreadable shift is left out", area="routing", shift_id=str(row.id))
    return trouble is None


def shift_of(row: ShiftRow) -> shifts.Shift:
    return shifts.Shift(
        counsellor_id=row.counsellor_id,
        recurrence=row.recurrence,
        starts_at=row.starts_at,
        minutes=row.minutes,
        timezone=row.timezone,
        first_on=row.first_on,
        last_on=row.last_on,
        layer=shifts.Layer(row.layer),
        on_holidays=shifts.OnHolidays(row.on_holidays),
        except_on=frozenset(row.except_on),
        id=row.id,
    )


def change_of(row: RotaChange) -> on_duty.DutyChange:
    return on_duty.DutyChange(
        kind=on_duty.ChangeKind(row.kind),
        counsellor_id=row.counsellor_id,
        start=row.from_at,
        end=row.until_at,
        layer=shifts.Layer(row.layer),
        instead_id=row.instead_id,
        id=row.id,
    )


async def _holidays_of(work: Work, own: OwnDays) -> frozenset[date]:
    """Return the public holidays of the helpline's country from last year to the year after next,
    with the helpline's own changes to single days."""
    line = await finding_lines.any_line(work)
    if line is None:
        return frozenset()
    year = work.now.year
    days = {
        day
        for y in range(year - 1, year + 3)
        for day in country_holidays(line.country, line.timezone, y)
    }
    days |= {day for day, free in own.items() if free}
    return frozenset(days - {day for day, free in own.items() if not free})


@lru_cache(maxsize=64)
def country_holidays(country: str, timezone: str, year: int) -> tuple[date, ...]:
    """Return the public holidays of a country in one year."""
    zone, first = ZoneInfo(timezone), date(year, 1, 1)
    days = (first + timedelta(days=n) for n in range(366))
    return tuple(d for d in days if d.year == year and is_holiday(d, zone, country))


async def on_shift(work: Work) -> dict[UUID, on_duty.OnShift]:
    """Return who is on shift now, and until when. Recomputed whenever a shift starts or ends."""
    known: dict[UUID, on_duty.OnShift] | None = work.ground.memory.recall(
        Topic.ROSTER, "duty", work.now
    )
    if known is not None:
        return known
    found = await rota_of(work)
    present = on_duty.on_duty(found, work.now)
    work.ground.memory.keep(
        Topic.ROSTER, "duty", present, on_duty.next_change(found, work.now, BELIEVED)
    )
    return present


async def on_shift_at(work: Work, at: datetime) -> dict[UUID, on_duty.OnShift]:
    """Return who was on shift at an instant within the last days."""
    return on_duty.on_duty(await rota_of(work), at)


# For this long after the end of a shift the counsellor is still asked, for earlier callers.
DRAINS_FOR = timedelta(minutes=15)


async def just_ended(work: Work) -> dict[UUID, on_duty.OnShift]:
    """Return whose shift ended within `DRAINS_FOR` and is not followed by another, and when."""
    known: dict[UUID, on_duty.OnShift] | None = work.ground.memory.recall(
        Topic.ROSTER, "ended", work.now
    )
    if known is not None:
        return known
    present, found = await on_shift(work), await rota_of(work)
    ended = {
        duty.counsellor_id: on_duty.OnShift(duty.end, duty.layer)
        for duty in on_duty.stretches(found, work.now - DRAINS_FOR, work.now)
        if duty.end <= work.now and duty.counsellor_id not in present
    }
    until = on_duty.next_change(found, work.now, BELIEVED)
    work.ground.memory.keep(Topic.ROSTER, "ended", ended, until)
    return ended


async def home_zone(work: Work) -> ZoneInfo:
    """Return the helpline's time zone: that of its oldest line."""
    line = await finding_lines.any_line(work)
    return ZoneInfo(line.timezone if line else "UTC")


async def lock_rota(work: Work) -> None:
    """Wait until no other person is changing the rota; the lock ends with the transaction."""
    await work.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


async def rota_now(work: Work) -> on_duty.Rota:
    """Return the rota as the database has it now, for a verb that is about to change it."""
    return await _read_rota(work)


def local_day(work: Work, timezone: str) -> date:
    """Return today's date in the time zone of a shift."""
    return work.now.astimezone(ZoneInfo(timezone)).date()
