"""Shifts as recurrences, and the stretches of duty that follow from them. Pure.

Rules for the nights when the clocks change: a shift starts at the first
occurrence of its wall-clock time and ends at the last, so a repeated hour is
covered both times and never left out. A time that does not exist is the first
instant after the gap.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from dateutil import rrule as library

ALWAYS_UNTIL = datetime(9999, 1, 1, tzinfo=UTC)


class Layer(StrEnum):
    """The order in which counsellors are asked: the first at once, the others as the wait grows."""

    PRIMARY = "primary"
    BACKUP = "backup"
    SUPERVISOR = "supervisor"
    # A phone that a counsellor carries; it rings whether or not they have signed in.
    ON_CALL = "on_call"


RANK = {layer: rank for rank, layer in enumerate(Layer)}


class OnHolidays(StrEnum):
    """What a public holiday means for a shift."""

    WORKS = "works"
    OFF = "off"
    ONLY = "only"


@dataclass(frozen=True)
class Shift:
    """When a counsellor works: on the days of a recurrence, from a wall-clock time.

    `recurrence` is an RFC 5545 rule without a start, or None for always.
    `minutes` is the length on the wall clock. `except_on` lists days that are left out.
    """

    counsellor_id: UUID
    recurrence: str | None
    starts_at: time
    minutes: int
    timezone: str
    first_on: date
    last_on: date | None = None
    layer: Layer = Layer.PRIMARY
    on_holidays: OnHolidays = OnHolidays.WORKS
    except_on: frozenset[date] = frozenset()
    id: UUID | None = None


@dataclass(frozen=True)
class Place:
    """Where a stretch of duty stands: whose it is, from when until before when, in which layer."""

    counsellor_id: UUID
    start: datetime
    end: datetime
    layer: Layer = Layer.PRIMARY


@dataclass(frozen=True)
class Duty:
    """One stretch of duty, half-open: from `start` until before `end`, both in UTC.

    It comes from a shift, or from a change of the rota.
    """

    counsellor_id: UUID
    start: datetime
    end: datetime
    layer: Layer = Layer.PRIMARY
    shift_id: UUID | None = None
    change_id: UUID | None = None

    @property
    def place(self) -> Place:
        return Place(self.counsellor_id, self.start, self.end, self.layer)


def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant at which a clock on the wall shows this time."""
    early = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return early if _exists(wall, zone) else _after_the_gap(wall, zone)


def last_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the last instant at which a clock on the wall shows this time."""
    late = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return late if _exists(wall, zone) else _after_the_gap(wall, zone)


def _exists(wall: datetime, zone: ZoneInfo) -> bool:
    there = wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return there.replace(tzinfo=None) == wall


def _after_the_gap(wall: datetime, zone: ZoneInfo) -> datetime:
    # In a gap, fold=0 uses the offset before it and fold=1 the offset after it. The gap is
    # at the instant where the offset changes.
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


class _NoMoreDays(Exception):
    """A rule has no day left within the months that were asked for."""


class _Months(library._iterinfo):
    """Ends the search for the next day of a rule after the last month that was asked for.

    The library looks on until the year 9999, which takes seconds for a rule without any day.
    """

    def rebuild(self, year: int, month: int) -> None:
        last: tuple[int, int] | None = getattr(self.rrule, "last_month", None)
        if last is not None and (year, month) > last:
            raise _NoMoreDays
        super().rebuild(year, month)


library._iterinfo = _Months  # type: ignore[misc]


def days_of_rule(recurrence: str, begins: date, last: date) -> Iterator[date]:
    """Yield the days of a rule that starts on `begins`, until `last`. Raises ValueError."""
    rule: Any = library.rrulestr(recurrence, dtstart=datetime.combine(begins, time()))
    rule.last_month = last.year, last.month
    try:
        for moment in rule:
            if moment.date() > last:
                return
            yield moment.date()
    except _NoMoreDays:
        return


@lru_cache(maxsize=65_536)
def _days_of_month(recurrence: str, first_on: date, year: int, month: int) -> tuple[date, ...]:
    """Return the days of a rule in one month."""
    first, last = date(year, month, 1), date(year, month, monthrange(year, month)[1])
    begins = first_on
    if _goes_by_the_calendar(recurrence):
        # The days of such a rule do not depend on where it begins, so skip the years before.
        begins = max(first_on, first)
    if begins > last:
        return ()
    return tuple(day for day in days_of_rule(recurrence, begins, last) if day >= first)


def _goes_by_the_calendar(recurrence: str) -> bool:
    rule = recurrence.upper()
    counted = any(word in rule for word in ("COUNT", "INTERVAL", "BYSETPOS"))
    return not counted and ("FREQ=DAILY" in rule or ("FREQ=WEEKLY" in rule and "BYDAY" in rule))


def days_of(shift: Shift, since: date, until: date) -> Iterator[date]:
    """Yield the days from `since` to `until`, both included, on which a shift begins."""
    if shift.recurrence is None:
        return
    year, month = since.year, since.month
    while (year, month) <= (until.year, until.month):
        for day in _days_of_month(shift.recurrence, shift.first_on, year, month):
            if since <= day <= until and (shift.last_on is None or day <= shift.last_on):
                yield day
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def duties(
    shift: Shift, since: datetime, until: datetime, holidays: frozenset[date] = frozenset()
) -> Iterator[Duty]:
    """Yield the stretches of a shift that touch `[since, until)`, in order."""
    zone = ZoneInfo(shift.timezone)
    if shift.recurrence is None:
        start = first_instant(datetime.combine(shift.first_on, time()), zone)
        end = ALWAYS_UNTIL
        if shift.last_on is not None:
            end = last_instant(datetime.combine(shift.last_on, time()) + timedelta(days=1), zone)
        if start < until and end > since:
            yield Duty(shift.counsellor_id, start, end, shift.layer, shift.id)
        return
    yield from (duty for _, duty in duties_by_day(shift, since, until, holidays))


def duties_by_day(
    shift: Shift, since: datetime, until: datetime, holidays: frozenset[date] = frozenset()
) -> Iterator[tuple[date, Duty]]:
    """Yield the stretches of a recurring shift that touch `[since, until)`, each with its day."""
    if shift.recurrence is None:
        return
    zone, length = ZoneInfo(shift.timezone), timedelta(minutes=shift.minutes)
    # Days are listed by their midnight. Add one day for the time of day and one for the
    # zone's offset, on each side.
    from_day = (since - length - timedelta(days=2)).date()
    to_day = (until + timedelta(days=2)).date()
    for day in days_of(shift, from_day, to_day):
        if day in shift.except_on or not _works_on(shift, day in holidays):
            continue
        wall = datetime.combine(day, shift.starts_at)
        start, end = first_instant(wall, zone), last_instant(wall + length, zone)
        if start < until and end > since:
            yield day, Duty(shift.counsellor_id, start, end, shift.layer, shift.id)


def _works_on(shift: Shift, holiday: bool) -> bool:
    if shift.on_holidays is OnHolidays.WORKS:
        return True
    return holiday == (shift.on_holidays is OnHolidays.ONLY)
