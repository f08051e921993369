"""Opening hours, as OpenStreetMap writes them (`Mo-Fr 08:00-16:00; PH off`). Pure.

They are read by the `opening_hours` library, which knows each country's public holidays.
"""

from datetime import UTC, date, datetime, time
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


def is_holiday(day: date, zone: ZoneInfo, country: str | None) -> bool:
    """Return whether a day is a public holiday of the country."""
    noon = datetime.combine(day, time(12), zone)
    return country is not None and is_open(_HOLIDAYS, zone.key, country, noon)


def open_stretches(
    text: str, timezone: str, country: str | None, since: datetime, until: datetime
) -> list[tuple[datetime, datetime]]:
    """Return the parts of `[since, until)` in which a place is open, in UTC and in order."""
    if text.strip() in ("", ALWAYS):
        return [(since, until)] if since < until else []
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
