"""The rota as stored in the database: add shifts, and find out who is on shift."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, available_timezones

from dateutil.rrule import rrulestr
from sqlalchemy import and_, func, select, true

from app.calls import lines
from app.calls.hours import is_holiday
from app.calls.speech import LineScript
from app.calls.states import Unstaffed
from app.errors import Invalid
from app.log import log
from app.routing.matching import Free, Room, Waiting, could_take
from app.routing.models import Holiday, Presence, PresenceState, RotaChange, ShiftRow
from app.routing.plan import read_plan, read_skills
from app.routing.rota import on_duty, shifts
from app.routing.rota.shifts import Layer
from app.staff.audit import write_entry
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may
from app.work import Work

# The roles that may be on duty.
TAKERS = [role.value for role in Role if may(role, Permission.TAKE_CALLS)]
# A process caches the rota for this long at most; a change of the rota clears the cache at once
# over the bus.
_BELIEVED = timedelta(seconds=10)
# Changes that ended longer ago than this are not read.
_LOOKED_BACK = timedelta(days=8)
# Longer than any limit of a line's plan: finds everybody who could be asked sooner or later.
_ANY_WAIT = timedelta(days=2)
# Presences change all the time, so they are cached for less time.
_BELIEVED_PRESENCE = timedelta(seconds=1)


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
    """Add a shift to a counsellor's rota; without a recurrence it is always. Raises Invalid."""
    zone = check_zone(timezone)
    if not 0 < minutes <= 1440:
        raise Invalid("A shift lasts from 1 minute to 24 hours. Change its beginning or end.")
    recurrence = check_recurrence(recurrence) if recurrence is not None else None
    begins = check_day(first_on or work.now.astimezone(zone).date())
    if last_on is not None:
        check_day(last_on)
    if last_on is not None and last_on < begins:
        raise Invalid("The last day of a shift is before its first day. Choose a later last day.")
    if not may(staff.role, Permission.TAKE_CALLS):
        raise Invalid(f"{staff.name} does not take calls, so they cannot be on the rota.")
    if layer is shifts.Layer.ON_CALL and staff.endpoint_kind == "browser":
        raise Invalid(f"{staff.name} has no phone, so they cannot have an on-call shift.")
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
        work, "shift added", str(staff.id), shift=str(row.id), recurrence=recurrence or "always"
    )
    work.announce("roster")
    return row


# A day outside this century is a typing error, and date arithmetic would fail on it.
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)
_WEEKDAY = r"(?:MO|TU|WE|TH|FR|SA|SU)"
_PARTS = {
    "FREQ": r"DAILY|WEEKLY|MONTHLY|YEARLY",
    "INTERVAL": r"[1-9]\d?",
    "COUNT": r"[1-9]\d{0,2}",
    "UNTIL": r"20\d{6}(?:T\d{6}Z?)?",
    "WKST": _WEEKDAY,
    "BYDAY": rf"[+-]?[1-5]?{_WEEKDAY}(?:,[+-]?[1-5]?{_WEEKDAY}){{0,20}}",
    "BYMONTHDAY": r"-?(?:[1-9]|[12]\d|3[01])(?:,-?(?:[1-9]|[12]\d|3[01])){0,30}",
    "BYMONTH": r"(?:[1-9]|1[0-2])(?:,(?:[1-9]|1[0-2])){0,11}",
    "BYSETPOS": r"-?[1-5](?:,-?[1-5]){0,4}",
}


def check_day(day: date) -> date:
    """Return a day of the rota. Raises Invalid if it is too far away."""
    if not _FIRST_DAY <= day < _LAST_DAY:
        raise Invalid(
            "A day of the rota is between 2000 and 2100. If a shift has no end, leave it empty."
        )
    return day


def check_zone(name: str) -> ZoneInfo:
    """Return an IANA time zone by its name. Raises Invalid."""
    if name not in _zones():
        raise Invalid(f"{name[:60]!r} is not a time zone. Write one like Europe/Belgrade.")
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def check_recurrence(text: str) -> str:
    """Return a recurrence rule by days, without its own start or time of day. Raises Invalid.

    Only parts that make sense for shifts are allowed, and the rule is tried over five years. A rule
    without any day, or one that the library cannot read, would break every reading of the rota.
    """
    rule = text.strip().removeprefix("RRULE:").upper()
    problem = _trouble_with(rule)
    if problem:
        raise Invalid(
            f"{text[:200]!r} is not a usable recurrence rule: {problem}. "
            "Write one like FREQ=WEEKLY;BYDAY=MO,TU,WE."
        )
    return rule


@lru_cache(maxsize=4096)
def _trouble_with(rule: str) -> str:
    parts = [part.partition("=") for part in rule.split(";")]
    known = {name: value for name, _, value in parts}
    if any(word in known for word in ("DTSTART", "BYHOUR", "BYMINUTE", "BYSECOND")):
        return "give the time of day with --from and --until, and the first day with --first-on"
    if known.get("FREQ") in ("HOURLY", "MINUTELY", "SECONDLY"):
        return "a shift recurs by days, weeks, months or years"
    for name, _, value in parts:
        if name not in _PARTS or not re.fullmatch(_PARTS[name], value):
            return f"{name[:20]}={value[:40]} is not supported"
    if "FREQ" not in known or len(known) != len(parts) or {"COUNT", "UNTIL"} <= set(known):
        return "it needs one FREQ, each part once, and not both COUNT and UNTIL"
    if "BYSETPOS" in known and known["FREQ"] in ("DAILY", "WEEKLY"):
        return "BYSETPOS works only with FREQ=MONTHLY or FREQ=YEARLY"
    # Without its own end: does the rule have a day within five years?
    bare = ";".join(f"{n}={v}" for n, _, v in parts if n not in ("COUNT", "UNTIL"))
    start = datetime(2024, 1, 1)  # noqa: DTZ001
    try:
        found = rrulestr(f"{bare};UNTIL=20281231T000000", dtstart=start)
        return "" if next(iter(found), None) is not None else "no day matches it"
    except Exception as error:  # the library raises errors of many kinds
        return str(error)[:100]


async def rota_of(work: Work) -> on_duty.Rota:
    """Return the rota of all active counsellors, as plain values."""
    known: on_duty.Rota | None = work.ground.memory.recall("roster", "rota", work.now)
    if known is not None:
        return known
    found = await _read_rota(work)
    work.ground.memory.keep("roster", "rota", found, work.now + _BELIEVED)
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
            RotaChange.state == "in_force",
            RotaChange.until_at > looked_back,
            takes,
        )
        .order_by(RotaChange.settled_at, RotaChange.id)
    )
    return on_duty.Rota(
        tuple(shift_of(row) for row in rows if _usable(row)),
        tuple(change_of(row) for row in changed),
        await holidays_of(work),
    )


def _usable(row: ShiftRow) -> bool:
    """Return whether a shift can be read. One unreadable shift must not break the whole rota."""
    trouble = _trouble_with(row.recurrence.upper()) if row.recurrence is not None else ""
    if trouble:
        log().error("an unreadable shift is left out", area="routing", shift_id=str(row.id))
    return not trouble


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


def change_of(row: RotaChange) -> on_duty.Change:
    return on_duty.Change(
        kind=on_duty.ChangeKind(row.kind),
        counsellor_id=row.counsellor_id,
        start=row.from_at,
        end=row.until_at,
        layer=shifts.Layer(row.layer),
        instead_id=row.instead_id,
    )


async def holidays_of(work: Work) -> frozenset[date]:
    """Return the public holidays of the helpline's country from last year to the year after next,
    with the helpline's own changes to single days."""
    line = await lines.any_line(work)
    if line is None:
        return frozenset()
    year = work.now.year
    days = {
        day
        for y in range(year - 1, year + 3)
        for day in country_holidays(line.country, line.timezone, y)
    }
    for row in await work.session.scalars(select(Holiday)):
        (days.add if row.free else days.discard)(row.on)
    return frozenset(days)


@lru_cache(maxsize=64)
def country_holidays(country: str, timezone: str, year: int) -> tuple[date, ...]:
    """Return the public holidays of a country in one year."""
    zone, first = ZoneInfo(timezone), date(year, 1, 1)
    days = (first + timedelta(days=n) for n in range(366))
    return tuple(d for d in days if d.year == year and is_holiday(d, zone, country))


async def on_shift(work: Work) -> dict[UUID, on_duty.OnShift]:
    """Return who is on shift now, and until when. Recomputed whenever a shift starts or ends."""
    known: dict[UUID, on_duty.OnShift] | None = work.ground.memory.recall(
        "roster", "duty", work.now
    )
    if known is not None:
        return known
    found = await rota_of(work)
    present = on_duty.on_duty(found, work.now)
    work.ground.memory.keep(
        "roster", "duty", present, on_duty.next_change(found, work.now, _BELIEVED)
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
        "roster", "ended", work.now
    )
    if known is not None:
        return known
    present, found = await on_shift(work), await rota_of(work)
    ended = {
        duty.counsellor_id: on_duty.OnShift(duty.end, duty.layer)
        for duty in on_duty.stretches(found, work.now - DRAINS_FOR, work.now)
        if duty.end <= work.now and duty.counsellor_id not in present
    }
    until = on_duty.next_change(found, work.now, _BELIEVED)
    work.ground.memory.keep("roster", "ended", ended, until)
    return ended


async def lingering(work: Work) -> dict[UUID, on_duty.OnShift]:
    """Return those of `just_ended` who still work: available, offered, on a call or in wrap-up."""
    ended = await just_ended(work)
    if not ended:
        return {}
    everybody = await people(work)
    return {who: shift for who, shift in ended.items() if who in everybody and everybody[who].stays}


async def is_draining(work: Work, line: LineScript, language: str) -> bool:
    """Return whether only counsellors whose shift has ended are left for a line."""
    if not await just_ended(work):
        return False
    found = await staffing(work, line, language, danger=False)
    return found.unstaffed is not None


async def is_last(work: Work, counsellor_id: UUID) -> bool:
    """Return whether no other counsellor on shift serves the same lines and languages.

    Trainees do not count.
    """
    present, everybody = await on_shift(work), await people(work)
    mine = everybody.get(counsellor_id)
    if mine is None or counsellor_id not in present:
        return False
    for who in present:
        other = everybody.get(who)
        if who == counsellor_id or other is None or not other.stays or other.free.training:
            continue
        speaks = not other.free.languages or other.free.languages >= mine.free.languages
        takes = not other.free.lines or other.free.lines >= mine.free.lines
        if speaks and takes and (mine.free.languages or not other.free.languages):
            return False
    return True


# How far ahead the rota is searched.
_STAFFED_WITHIN = timedelta(days=14)


async def next_staffed(work: Work, line: LineScript, language: str) -> datetime | None:
    """Return the next instant by day at which the rota has a counsellor for such a call."""
    probe = Waiting(
        UUID(int=0),
        line.number,
        language,
        work.now - _ANY_WAIT,
        practice=line.practice,
        plan=read_plan(line.plan),
    )
    now = Room((), supervised=True)
    able = {
        who
        for who, person in (await people(work)).items()
        if could_take(person.free, probe, work.now, now)
    }
    plan, zone = read_plan(line.plan), ZoneInfo(line.timezone)
    found = (await rota_of(work)).of(able)
    for duty in on_duty.stretches(found, work.now, work.now + _STAFFED_WITHIN):
        at = max(duty.start, work.now)
        if duty.counsellor_id not in able:
            continue
        if plan.is_night(at, zone):
            at = plan.morning_after(at, zone)
        if at < duty.end:
            return at
    return None


class Staffing(NamedTuple):
    """Whether a counsellor on duty can take such a call; if not, why, and from when on."""

    unstaffed: Unstaffed | None
    resumes_at: datetime | None


async def staffing(
    work: Work,
    line: LineScript,
    language: str,
    *,
    danger: bool,
    excluded: Iterable[UUID] = (),
    arrived_at: datetime | None = None,
) -> Staffing:
    """Ask the rota and the presences about a caller of this line and language.

    `arrived_at`: counsellors who were on shift when the caller arrived still count.
    """
    probe = Waiting(
        UUID(int=0),
        line.number,
        language,
        work.now - _ANY_WAIT,
        danger=danger,
        excluded=frozenset(excluded),
        practice=line.practice,
        plan=read_plan(line.plan),
    )
    present, everybody = await on_shift(work), await people(work)
    # A trainee is on the rota, but does not count unless a supervisor is there.
    now = await room(work)
    able = {
        who: person
        for who, person in everybody.items()
        if could_take(person.free, probe, work.now, now)
    }
    if arrived_at is not None:
        stay = await lingering(work)
        if any(who in able and arrived_at <= ended.until for who, ended in stay.items()):
            return Staffing(None, None)
    on = [who for who in able if who in present]
    if any(able[who].counts(present[who].layer) for who in on):
        return Staffing(None, None)
    if on:
        return Staffing(Unstaffed.NO_COUNSELLOR_ON_DUTY, None)
    upcoming = on_duty.next_duty((await rota_of(work)).of(able), work.now, able)
    return Staffing(Unstaffed.OUT_OF_HOURS, upcoming.start if upcoming else None)


class Person(NamedTuple):
    """A member of staff who takes calls: what they can take, and whether they are signed in."""

    free: Free
    there: bool
    supervises: bool
    # Whether the telephone platform can connect a call to them, and whether their phone rings by
    # itself.
    reachable: bool
    rings: bool
    # Whether they are still at work when their shift has ended.
    stays: bool

    def counts(self, layer: Layer) -> bool:
        """Return whether a caller can wait for them: signed in, or on call with a ringing phone."""
        return self.there or (layer is Layer.ON_CALL and self.rings)


_AT_WORK = (
    PresenceState.AVAILABLE,
    PresenceState.OFFERED,
    PresenceState.ON_CALL,
    PresenceState.WRAP_UP,
)
_PEOPLE = (
    select(
        Staff.id,
        Staff.languages,
        Staff.lines,
        Staff.skills,
        Staff.training,
        Staff.role,
        Staff.endpoint_kind,
        Presence.state,
        Presence.heartbeat_at,
    )
    .join(Presence, Presence.counsellor_id == Staff.id, isouter=True)
    .where(
        Staff.active, Staff.role.in_([role for role in Role if may(role, Permission.TAKE_CALLS)])
    )
)


async def people(work: Work) -> dict[UUID, Person]:
    """Return everybody who takes calls, and whether they are signed in for duty.

    A counsellor on a break or in wrap-up counts, because they come back. A counsellor who was set
    away counts only while their browser still sends requests.
    """
    known: dict[UUID, Person] | None = work.ground.memory.recall("presence", "all", work.now)
    if known is not None:
        return known
    stale = work.now - timedelta(seconds=work.settings.heartbeat_seconds)
    found = {}
    for row in await work.session.execute(_PEOPLE):
        signed_in = row.state is not None and row.state != PresenceState.OFF_DUTY
        there = signed_in
        if row.state == PresenceState.AWAY:
            there = row.endpoint_kind == "browser" and row.heartbeat_at > stale
        free = Free(
            row.id,
            work.now,
            frozenset(row.languages),
            frozenset(row.lines),
            _skills(row.skills),
            training=row.training,
        )
        reachable = work.settings.can_ring(row.endpoint_kind)
        supervises = (
            signed_in
            and may(row.role, Permission.SUPERVISE)
            and row.state not in (PresenceState.AWAY, PresenceState.BREAK)
        )
        rings = work.settings.rings_by_itself(row.endpoint_kind)
        stays = reachable and row.state in _AT_WORK
        found[row.id] = Person(free, there and reachable, supervises, reachable, rings, stays)
    work.ground.memory.keep("presence", "all", found, work.now + _BELIEVED_PRESENCE)
    return found


def _skills(words: list[str]) -> dict[str, int]:
    try:
        return read_skills(words)
    except ValueError:
        # Stored before skills had levels, as free text.
        return {}


async def room(work: Work) -> Room:
    """Return who is at work on shift now, and whether a supervisor is there."""
    present, everybody = await on_shift(work), await people(work)
    there = tuple(
        replace(everybody[who].free, layer=on.layer)
        for who, on in present.items()
        if who in everybody and everybody[who].counts(on.layer)
    ) + tuple(
        replace(everybody[who].free, layer=ended.layer, until=ended.until)
        for who, ended in (await lingering(work)).items()
    )
    return Room(there, any(person.supervises for person in everybody.values()))


def local_day(work: Work, timezone: str) -> date:
    """Return today's date in the time zone of a shift."""
    return work.now.astimezone(ZoneInfo(timezone)).date()
