"""Instants and windows of time in words, in the language of the caller. Pure."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app import words

_WEEK = 7
_DAY = timedelta(days=1)


def speak_instant(at: datetime, now: datetime, timezone: str, language: str) -> str:
    """Return an instant of the near future in words: "at 22:00", "tomorrow at 9:00".

    Midnight has its own words, and is that of the day which ends then: with "tomorrow at 0:00" a
    child might ring a day late.
    """
    zone, times = ZoneInfo(timezone), words.times_of(language)
    then, today = at.astimezone(zone), now.astimezone(zone).date()
    if then.time() == time(0) and (then.date() - today).days > 1:
        return times.midnight_on_day.format(day=_day(then.date() - _DAY, today, times))
    match (then.date() - today).days:
        case 0:
            return times.at.format(time=_hour(then))
        case 1 if then.time() == time(0):
            return times.midnight
        case 1:
            return times.tomorrow.format(time=_hour(then))
    return times.on_day.format(day=_day(then.date(), today, times), time=_hour(then))


def speak_window(
    begins: datetime, ends: datetime, now: datetime, timezone: str, language: str
) -> str:
    """Return a window of time in words: "between 18:00 and 21:00"."""
    zone, times = ZoneInfo(timezone), words.times_of(language)
    first, last = begins.astimezone(zone), ends.astimezone(zone)
    today = now.astimezone(zone).date()
    said = {"from": _hour(first), "until": _hour(last)}
    match (first.date() - today).days:
        case 0:
            return times.window.format(**said)
        case 1:
            return times.window_tomorrow.format(**said)
    return times.window_on_day.format(day=_day(first.date(), today, times), **said)


def _hour(then: datetime) -> str:
    """Return a time of day without a leading zero, which a voice would read aloud."""
    return f"{then.hour}:{then:%M}"


def _day(day: date, today: date, times: words.Times) -> str:
    """Return a day in words: "on Friday" within the week, later "on 24 December"."""
    if (day - today).days < _WEEK:
        return times.days[day.weekday()]
    return times.date.format(day=day.day, month=times.months[day.month - 1])
