"""Who is on shift at an instant. Pure: wall-clock recurrences in, instants out.

Rules for the nights when the clocks change: a shift starts at the first
occurrence of its wall-clock time and ends at the last, so an ambiguous hour is
covered twice and never left out; a time that does not exist is the first
instant after the gap.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rruleset, rrulestr

# How far ahead the next shift is looked for.
HORIZON = timedelta(days=62)
_ALWAYS_UNTIL = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Shift:
    """When somebody works: on the days of a recurrence, from a wall-clock time, for a while.

    `recurrence` is an RFC 5545 rule without a start, or None for always.
    `minutes` is the length on the wall clock.
    """

    counsellor_id: UUID
    recurrence: str | None
    starts_at: time
    minutes: int
    timezone: str
    first_on: date
    last_on: date | None = None


@dataclass(frozen=True)
class Duty:
    """One stretch of duty, half-open: from `start` until before `end`, both in UTC."""

    counsellor_id: UUID
    start: datetime
    end: datetime


def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which a clock on the wall shows this time."""
    early = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return early if _exists(wall, zone) else _after_the_gap(wall, zone)


def last_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The last instant at which a clock on the wall shows this time."""
    late = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return late if _exists(wall, zone) else _after_the_gap(wall, zone)


def _exists(wall: datetime, zone: ZoneInfo) -> bool:
    there = wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return there.replace(tzinfo=None) == wall


def _after_the_gap(wall: datetime, zone: ZoneInfo) -> datetime:
    # In a gap fold=0 uses the offset before it and fold=1 the one after; the gap itself
    # is the instant at which the one turns into the other.
    low = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    high = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


@lru_cache(maxsize=4096)
def _days(recurrence: str, first_on: date) -> rrule | rruleset:
    return rrulestr(recurrence, dtstart=datetime.combine(first_on, time()), cache=False)


def duties(shift: Shift, since: datetime, until: datetime) -> Iterator[Duty]:
    """The stretches of a shift that touch `[since, until)`, in order."""
    if shift.recurrence is None:
        start = first_instant(datetime.combine(shift.first_on, time()), ZoneInfo(shift.timezone))
        if start < until:
            yield Duty(shift.counsellor_id, start, _ALWAYS_UNTIL)
        return
    zone = ZoneInfo(shift.timezone)
    length = timedelta(minutes=shift.minutes)
    # Days are listed by their midnight, so a day's margin for the time of day and another
    # for the zone's offset, on each side.
    from_day = (since - length - timedelta(days=2)).replace(tzinfo=None)
    to_day = (until + timedelta(days=2)).replace(tzinfo=None)
    days = _days(shift.recurrence, shift.first_on).between(from_day, to_day, inc=True)
    for day in days:
        if shift.last_on is not None and day.date() > shift.last_on:
            return
        wall = datetime.combine(day.date(), shift.starts_at)
        duty = Duty(
            shift.counsellor_id,
            first_instant(wall, zone),
            last_instant(wall + length, zone),
        )
        if duty.start < until and duty.end > since:
            yield duty


def on_duty(shifts: Iterable[Shift], at: datetime) -> dict[UUID, datetime]:
    """Who is on shift at an instant, and until when at the latest known."""
    present: dict[UUID, datetime] = {}
    for shift in shifts:
        for duty in duties(shift, at, at + timedelta(microseconds=1)):
            known = present.get(shift.counsellor_id, duty.end)
            present[shift.counsellor_id] = max(known, duty.end)
    return present


def next_duty(shifts: Iterable[Shift], after: datetime) -> Duty | None:
    """The first stretch of duty that begins after an instant, within the horizon."""
    upcoming = (
        duty
        for shift in shifts
        for duty in duties(shift, after, after + HORIZON)
        if duty.start > after
    )
    return min(upcoming, key=lambda duty: duty.start, default=None)


def next_change(shifts: Iterable[Shift], after: datetime, within: timedelta) -> datetime:
    """The next instant, at most `within` ahead, at which somebody starts or ends."""
    horizon = after + within
    edges = (
        edge
        for shift in shifts
        for duty in duties(shift, after, horizon)
        for edge in (duty.start, duty.end)
        if after < edge < horizon
    )
    return min(edges, default=horizon)
