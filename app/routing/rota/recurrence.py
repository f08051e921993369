"""Check the day, the time zone and the rule by which a shift recurs."""

import re
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from app.errors import Invalid, Message
from app.routing.rota.shifts import days_of_rule

# A day outside this century is a typing error, and date arithmetic would fail on it.
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)
_WEEKDAY = r"(?:MO|TU|WE|TH|FR|SA|SU)"
PARTS = {
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
        raise Invalid(
            "'%(name)s' is not a time zone. Write one like Europe/Belgrade.", name=name[:60]
        )
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
    problem = trouble_with(rule)
    if problem is not None:
        raise Invalid(
            "'%(text)s' is not a usable recurrence rule: %(problem)s. Write one like "
            "FREQ=WEEKLY;BYDAY=MO,TU,WE.",
            text=text[:200],
            problem=problem,
        )
    return rule


@lru_cache(maxsize=4096)
def trouble_with(rule: str) -> Message | None:
    parts = [part.partition("=") for part in rule.split(";")]
    known = {name: value for name, _, value in parts}
    if any(word in known for word in ("DTSTART", "BYHOUR", "BYMINUTE", "BYSECOND")):
        return Message(
            "give the time of day with --from and --until, and the first day with --first-on"
        )
    if known.get("FREQ") in ("HOURLY", "MINUTELY", "SECONDLY"):
        return Message("a shift recurs by days, weeks, months or years")
    for name, _, value in parts:
        if name not in PARTS or not re.fullmatch(PARTS[name], value):
            return Message("%(part)s is not supported", part=f"{name[:20]}={value[:40]}")
    if "FREQ" not in known or len(known) != len(parts) or {"COUNT", "UNTIL"} <= set(known):
        return Message("it needs one FREQ, each part once, and not both COUNT and UNTIL")
    if "BYSETPOS" in known and known["FREQ"] in ("DAILY", "WEEKLY"):
        return Message("BYSETPOS works only with FREQ=MONTHLY or FREQ=YEARLY")
    # Without its own end: does the rule have a day within five years?
    bare = ";".join(f"{n}={v}" for n, _, v in parts if n not in ("COUNT", "UNTIL"))
    try:
        found = next(days_of_rule(bare, date(2024, 1, 1), date(2028, 12, 31)), None)
        return None if found is not None else Message("no day matches it")
    except Exception:  # the library raises errors of many kinds, in English
        return Message("it has a part that cannot be read")
