"""When a deadline is due: elapsed time, or working hours around holidays and clock changes. Pure.

Working hours are an expression of the `opening_hours` kind that OpenStreetMap defines
(`Mo-Fr 08:00-16:00; PH off`), read by the library of that name. It knows the public holidays
of the country, and gives the open intervals as instants. The sum is over seconds that really
pass, so a day of 23 or 25 hours counts as long as it is.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from opening_hours import State
from pydantic import TypeAdapter

from app.calls.hours import read_hours
from app.errors import BadText

Counts = Literal["elapsed", "working"]

_DURATION = re.compile(r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,4})M)?(?:(\d{1,5})S)?)?")
# Hours that do not open within this time never will.
_FAR = timedelta(days=400)
_DURATIONS = TypeAdapter(timedelta)


def read_duration(text: str) -> timedelta:
    """Read an ISO 8601 duration of days, hours, minutes and seconds, for example `PT15M`.

    Raises ValueError.
    """
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        raise BadText("'%(text)s' is not a duration like PT15M, PT24H or P7D", text=text)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not duration:
        raise BadText("a duration must be longer than zero")
    return duration


def written(duration: timedelta) -> str:
    """Return a duration as definitions write it, for example `PT15M`."""
    return str(_DURATIONS.dump_python(duration, mode="json"))


def due_at(
    start: datetime,
    within: timedelta,
    counts: Counts = "elapsed",
    *,
    hours: str = "",
    timezone: str = "UTC",
    country: str | None = None,
) -> datetime:
    """Return the instant at which a deadline is due.

    Raises ValueError if the working hours never add up to `within`.
    """
    if counts == "elapsed":
        return start + within
    zone = ZoneInfo(timezone)
    left = within.total_seconds()
    found = read_hours(hours, timezone, country)
    for begins, ends, state, _ in found.intervals(start.astimezone(zone)):
        if begins.timestamp() - start.timestamp() > _FAR.total_seconds():
            break
        if state != State.OPEN:
            continue
        length = ends.timestamp() - begins.timestamp()
        if length >= left:
            return datetime.fromtimestamp(begins.timestamp() + left, UTC)
        left -= length
    raise BadText(
        "the working hours '%(hours)s' never add up to %(within)s",
        hours=hours,
        within=written(within),
    )
