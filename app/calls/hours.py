"""Opening hours, as OpenStreetMap writes them (`Mo-Fr 08:00-16:00; PH off`). Pure.

They are read by the `opening_hours` library, which knows each country's public holidays. The
helpline's own exceptions to these are `OwnDays`: they count for its lines, and not for others.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from opening_hours import (  # type: ignore[attr-defined]  # the stub forgets the error
    OpeningHours,
    State,
    UnknownCountryError,
)

from app.errors import BadText

ALWAYS = "24/7"
_HOLIDAYS = "PH 00:00-24:00"
_PUBLIC = re.compile(r"\bPH\b")
# Days counted from a holiday: the country's own ones, since a weekday does not say them.
_COUNTED = re.compile(r"\bPH\s*[+-]\s*\d")
_WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
# Days that are a holiday for the helpline alone, and (False) holidays on which it works.
OwnDays = Mapping[date, bool]
_NONE: OwnDays = {}
Spans = list[tuple[datetime, datetime]]


@lru_cache(maxsize=4096)
def read_hours(text: str, timezone: str, country: str | None) -> OpeningHours:
    """Read the opening hours of a place. Raises ValueError that says what is wrong."""
    try:
        zone = ZoneInfo(timezone)
    except (ValueError, OSError, KeyError):
        raise BadText("'%(timezone)s' is not an IANA time zone", timezone=timezone) from None
    try:
        return _read(text, zone, country)
    except UnknownCountryError:
        # The library knows no public holidays of it: its days are all alike.
        return read_hours(text, timezone, None)
    except Exception:  # the library's own errors have no common base, and are in English
        raise BadText(
            "'%(text)s' are not opening hours like `Mo-Fr 08:00-16:00; PH off` or `24/7`: "
            "%(part)s cannot be read",
            text=text,
            part=_unreadable_part(text),
        ) from None


def _read(text: str, zone: ZoneInfo, country: str | None) -> OpeningHours:
    return OpeningHours(
        text, timezone=zone, country=country, auto_country=False, auto_timezone=False
    )


def _unreadable_part(text: str) -> str:
    """Return the first rule of opening hours that cannot be read by itself, or all of them."""
    for part in text.split(";"):
        try:
            OpeningHours(part.strip())
        except Exception:  # as above
            return f"'{part.strip()[:120]}'"
    return f"'{text[:120]}'"


def is_open(text: str, timezone: str, country: str | None, at: datetime) -> bool:
    """Return whether a place is open at an instant; without hours it always is."""
    if not text.strip():
        return True
    hours = read_hours(text, timezone, country)
    return bool(hours.is_open(at.astimezone(ZoneInfo(timezone))))


def is_holiday(day: date, zone: ZoneInfo, country: str | None, own: OwnDays = _NONE) -> bool:
    """Return whether a day is a public holiday of the country, or one of the helpline's own."""
    if day in own:
        return own[day]
    noon = datetime.combine(day, time(12), zone)
    return country is not None and is_open(_HOLIDAYS, zone.key, country, noon)


def open_stretches(
    text: str,
    timezone: str,
    country: str | None,
    since: datetime,
    until: datetime,
    own: OwnDays = _NONE,
) -> Spans:
    """Return the parts of `[since, until)` in which a place is open, in UTC and in order.

    On the days of `own`, the text means by `PH` what they say.
    """
    if text.strip() in ("", ALWAYS):
        return [(since, until)] if since < until else []
    found = _read_stretches(text, timezone, country, since, until)
    if not own or not _PUBLIC.search(text) or _COUNTED.search(text):
        return found
    zone = ZoneInfo(timezone)
    # What opens on such a day may be open until the next morning.
    for day in sorted({day + timedelta(days=n) for day in own for n in (0, 1)}):
        begin = max(_midnight(day, zone), since)
        end = min(_midnight(day + timedelta(days=1), zone), until)
        if begin < end:
            of_day = _stretches_of(day, text, zone, country, own)
            found = _with(found, begin, end, _read_stretches(*of_day, begin, end))
    return found


def _read_stretches(
    text: str, timezone: str, country: str | None, since: datetime, until: datetime
) -> Spans:
    zone = ZoneInfo(timezone)
    found = []
    for begins, ends, state, _ in read_hours(text, timezone, country).intervals(
        since.astimezone(zone), until.astimezone(zone)
    ):
        begin = max(begins.astimezone(UTC), since)
        end = min(ends.astimezone(UTC), until)
        if state == State.OPEN and begin < end:
            found.append((begin, end))
    return found


def _stretches_of(
    day: date, text: str, zone: ZoneInfo, country: str | None, own: OwnDays
) -> tuple[str, str, str | None]:
    """Return the hours of one day, with the holidays around it as their weekdays.

    The library takes no holidays of ours. On this one day, and for what is still open from the day
    before, `PH` is the weekday of the holiday, and nothing if it is none.
    """
    free = [one for one in (day - timedelta(days=1), day) if is_holiday(one, zone, country, own)]
    if not free:
        return text, zone.key, None
    said = _PUBLIC.sub(",".join(_WEEKDAYS[one.weekday()] for one in free), text)
    try:
        read_hours(said, zone.key, country)
    except ValueError:
        # A form that no weekday can stand in: the country's own days count.
        return text, zone.key, country
    return said, zone.key, country


def _with(found: Spans, begin: datetime, end: datetime, of_day: Spans) -> Spans:
    """Return spans with those between two instants replaced; what touches is one."""
    parts = [(one, min(other, begin)) for one, other in found if one < begin]
    parts += of_day + [(max(one, end), other) for one, other in found if other > end]
    whole: Spans = []
    for one, other in parts:
        if whole and whole[-1][1] == one:
            whole[-1] = whole[-1][0], other
        else:
            whole.append((one, other))
    return whole


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
