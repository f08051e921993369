"""The rota as kept in the database: shifts are added, and asked who is there."""

from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrulestr
from sqlalchemy import select

from app.calls.speech import LineScript
from app.calls.states import Unstaffed
from app.errors import Invalid
from app.routing import shifts
from app.routing.matching import Free, may_take
from app.routing.matching import Waiting as WaitingCaller
from app.routing.models import Presence, PresenceState, ShiftRow
from app.staff.audit import write_entry
from app.staff.models import Staff
from app.work import Work

# A process believes what it knows of the rota for so long at most; a change of the
# rota tells it at once over the bus.
_BELIEVED = timedelta(seconds=10)
# And what it knows of presences, which change all the time, for so long.
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
) -> ShiftRow:
    """Add a recurrence to somebody's rota; None means always. Raises Invalid."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise Invalid(f"{timezone} is not a time zone. Write one like Europe/Belgrade.") from None
    if not 0 < minutes <= 1440:
        raise Invalid("A shift is longer than nothing and at most 24 hours.")
    recurrence = check_recurrence(recurrence) if recurrence is not None else None
    row = ShiftRow(
        id=uuid4(),
        counsellor_id=staff.id,
        recurrence=recurrence,
        starts_at=starts_at,
        minutes=minutes,
        timezone=timezone,
        first_on=first_on or work.now.astimezone(zone).date(),
        last_on=last_on,
        created_at=work.now,
    )
    work.session.add(row)
    await work.session.flush()
    write_entry(work, "shift added", str(staff.id), recurrence=recurrence or "always")
    work.announce("roster")
    return row


def check_recurrence(text: str) -> str:
    """A recurrence rule by days, without its own start or time of day. Raises Invalid."""
    rule = text.strip().removeprefix("RRULE:")
    problem = None
    if any(word in rule.upper() for word in ("DTSTART", "BYHOUR", "BYMINUTE", "BYSECOND", "\n")):
        problem = "give the time of day with --from and --until, and the first day with --first-on"
    elif any(f in rule.upper() for f in ("FREQ=HOURLY", "FREQ=MINUTELY", "FREQ=SECONDLY")):
        problem = "a shift recurs by days, weeks, months or years"
    else:
        try:
            rrulestr(rule, dtstart=datetime(2024, 1, 1))  # noqa: DTZ001
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            problem = str(error)
    if problem:
        raise Invalid(
            f"{text!r} is not a usable recurrence rule: {problem}. "
            "Write one like FREQ=WEEKLY;BYDAY=MO,TU,WE."
        )
    return rule


async def all_shifts(work: Work) -> list[shifts.Shift]:
    """The rota of all active counsellors, as plain values."""
    known: list[shifts.Shift] | None = work.ground.memory.recall("roster", "shifts", work.now)
    if known is not None:
        return known
    rows = await work.session.scalars(
        select(ShiftRow).join(Staff, Staff.id == ShiftRow.counsellor_id).where(Staff.active)
    )
    found = [
        shifts.Shift(
            counsellor_id=row.counsellor_id,
            recurrence=row.recurrence,
            starts_at=row.starts_at,
            minutes=row.minutes,
            timezone=row.timezone,
            first_on=row.first_on,
            last_on=row.last_on,
        )
        for row in rows
    ]
    work.ground.memory.keep("roster", "shifts", found, work.now + _BELIEVED)
    return found


async def on_shift(work: Work) -> dict[UUID, datetime]:
    """Who is on shift now, and until when. Worked out again at every edge of a shift."""
    known: dict[UUID, datetime] | None = work.ground.memory.recall("roster", "duty", work.now)
    if known is not None:
        return known
    rota = await all_shifts(work)
    present = shifts.on_duty(rota, work.now)
    work.ground.memory.keep(
        "roster", "duty", present, shifts.next_change(rota, work.now, _BELIEVED)
    )
    return present


class Staffing(NamedTuple):
    """Whether somebody on duty can take such a call; if not, why, and from when on."""

    unstaffed: Unstaffed | None
    resumes_at: datetime | None


async def staffing(work: Work, line: LineScript, language: str, *, danger: bool) -> Staffing:
    """Ask the rota and the presences about a caller of this line and language."""
    probe = WaitingCaller(UUID(int=0), line.number, language, work.now, danger=danger)
    present = await on_shift(work)
    able = {
        counsellor.counsellor_id: state
        for counsellor, state in await _counsellors(work)
        if may_take(counsellor, probe, work.now)
    }
    if any(c in present and state for c, state in able.items()):
        return Staffing(None, None)
    if any(c in present for c in able):
        return Staffing(Unstaffed.NO_COUNSELLOR_ON_DUTY, None)
    rota = [s for s in await all_shifts(work) if s.counsellor_id in able]
    upcoming = shifts.next_duty(rota, work.now)
    return Staffing(Unstaffed.OUT_OF_HOURS, upcoming.start if upcoming else None)


_COUNSELLORS = (
    select(
        Staff.id,
        Staff.languages,
        Staff.lines,
        Staff.endpoint_kind,
        Presence.state,
        Presence.heartbeat_at,
    )
    .join(Presence, Presence.counsellor_id == Staff.id, isouter=True)
    .where(Staff.active, Staff.id.in_(select(ShiftRow.counsellor_id)))
)


async def _counsellors(work: Work) -> list[tuple[Free, bool]]:
    """All active accounts with a rota, and whether each has signed in for duty.

    Somebody on a break or writing up counts: they come back. Somebody who was set
    away does not once their browser has fallen silent.
    """
    known: list[tuple[Free, bool]] | None = work.ground.memory.recall("presence", "all", work.now)
    if known is not None:
        return known
    stale = work.now - timedelta(seconds=work.settings.heartbeat_seconds)
    rows = await work.session.execute(_COUNSELLORS)
    found = []
    for staff_id, languages, lines, endpoint, state, heartbeat_at in rows:
        there = state is not None and state != PresenceState.OFF_DUTY
        if state == PresenceState.AWAY:
            there = endpoint == "browser" and heartbeat_at > stale
        free = Free(staff_id, work.now, frozenset(languages), frozenset(lines))
        found.append((free, there))
    work.ground.memory.keep("presence", "all", found, work.now + _BELIEVED_PRESENCE)
    return found
