"""Opening hours by weekday: read from their text, written as the same text, and in words. Pure.

The text is OpenStreetMap's (`app.calls.hours`). What it can say beyond weekdays and holidays
(months, dates, sunrise) is not hours by weekday.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum

from app.calls.hours import ALWAYS
from app.errors import Invalid

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
HOLIDAYS = "PH"
MOST_SPANS = 2
_CLOSED = ("off", "closed")
_SPAN = re.compile(r"(\d\d:\d\d)\s*-\s*(\d\d:\d\d)")
# Of a rule with single spaces.
_RULE = re.compile(r"(?:((?:Mo|Tu|We|Th|Fr|Sa|Su|PH)[A-Za-z, -]*) )?(\d[\d:, -]*|off|closed)")
# From and until, as a clock shows them; an end before the beginning is on the next morning.
Span = tuple[str, str]
ALL_DAY: tuple[Span, ...] = (("00:00", "24:00"),)


@dataclass(frozen=True)
class Week:
    """When a place is open on each weekday; a day that is not named is closed.

    `holidays` is None where public holidays are like any other day.
    """

    days: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    holidays: tuple[Span, ...] | None = None

    def of(self, day: str) -> tuple[Span, ...]:
        return self.days.get(day, ())


def read_week(text: str) -> Week | None:
    """Return opening hours by weekday, or None if the text says more than that."""
    if text.strip() in ("", ALWAYS):
        return Week(dict.fromkeys(DAYS, ALL_DAY))
    days: dict[str, tuple[Span, ...]] = {}
    holidays: tuple[Span, ...] | None = None
    for rule in text.strip().strip(";").split(";"):
        found = _read_rule(rule.strip())
        if found is None:
            return None
        names, spans = found
        for name in names:
            if name == HOLIDAYS:
                holidays = spans
            else:
                days[name] = spans
    return Week({day: days[day] for day in DAYS if days.get(day)}, holidays)


def _read_rule(rule: str) -> tuple[list[str], tuple[Span, ...]] | None:
    if rule == ALWAYS:
        return list(DAYS), ALL_DAY
    match = _RULE.fullmatch(" ".join(rule.split()))
    names = _read_days(match[1]) if match is not None else None
    if match is None or names is None:
        return None
    if match[2] in _CLOSED:
        return names, ()
    spans = [_SPAN.fullmatch(part.strip()) for part in match[2].split(",")]
    if not all(spans):
        return None
    return names, tuple((one[1], one[2]) for one in spans if one is not None)


def _read_days(text: str | None) -> list[str] | None:
    if text is None:
        return list(DAYS)
    found: list[str] = []
    for part in text.split(","):
        first, dash, last = (one.strip() for one in part.partition("-"))
        if (first == HOLIDAYS and not dash) or (first in DAYS and not dash):
            found.append(first)
        elif first in DAYS and last in DAYS:
            begin, end = DAYS.index(first), DAYS.index(last)
            found += DAYS[begin : end + 1] if begin <= end else DAYS[begin:] + DAYS[: end + 1]
        else:
            return None
    return found


def write_week(week: Week) -> str:
    """Return the text of opening hours by weekday: days with the same hours stand together."""
    if week.holidays is None and all(week.of(day) == ALL_DAY for day in DAYS):
        return ALWAYS
    rules = [f"{days} {_times(spans)}" for days, spans in _groups(week) if spans]
    if not rules:
        rules = ["Mo-Su off"]
    if week.holidays is not None:
        rules.append(f"{HOLIDAYS} {_times(week.holidays)}")
    return "; ".join(rules)


def _times(spans: tuple[Span, ...]) -> str:
    return ",".join(f"{begin}-{end}" for begin, end in spans) or "off"


def _groups(week: Week) -> list[tuple[str, tuple[Span, ...]]]:
    """Return days with the same hours, the earliest first: `Mo-We,Fr`."""
    by_hours: dict[tuple[Span, ...], list[int]] = {}
    for n, day in enumerate(DAYS):
        by_hours.setdefault(week.of(day), []).append(n)
    return [(_days(numbers), spans) for spans, numbers in by_hours.items()]


def runs_of(numbers: list[int]) -> list[tuple[int, int]]:
    """Return numbers in order as runs, each with its first and last."""
    runs: list[tuple[int, int]] = []
    for n in numbers:
        if runs and runs[-1][1] == n - 1:
            runs[-1] = runs[-1][0], n
        else:
            runs.append((n, n))
    return runs


def _days(numbers: list[int]) -> str:
    return ",".join(
        DAYS[first] if first == last else f"{DAYS[first]}-{DAYS[last]}"
        for first, last in runs_of(numbers)
    )


# -- as a form sends it ------------------------------------------------------------------


class SentDay(StrEnum):
    """What a form says of a day."""

    OPEN = "open"
    ALWAYS = "always"
    CLOSED = "closed"
    # Of public holidays: as on any other day.
    SAME = "same"


def read_sent(sent: Mapping[str, str]) -> Week:
    """Return the week of a form: `hours.Mo` is a `SentDay`.

    The times of an open day are `hours.Mo.from` and `.until`, the second ones `.from2` and
    `.until2`. Raises Invalid.
    """
    days = {day: spans for day in DAYS if (spans := _sent_day(sent, day))}
    same = sent.get(f"hours.{HOLIDAYS}", SentDay.SAME) == SentDay.SAME
    return Week(days, None if same else _sent_day(sent, HOLIDAYS))


def _sent_day(sent: Mapping[str, str], day: str) -> tuple[Span, ...]:
    match sent.get(f"hours.{day}", SentDay.CLOSED):
        case SentDay.ALWAYS:
            return ALL_DAY
        case SentDay.OPEN:
            pairs = [
                (sent.get(f"hours.{day}.from{n}", ""), sent.get(f"hours.{day}.until{n}", ""))
                for n in ("", "2")
            ]
            spans = tuple((_clock(b), _clock(e)) for b, e in pairs if b or e)
            # In a field for a time, midnight at the end of the day is 00:00.
            spans = tuple((b, "24:00" if e == "00:00" else e) for b, e in spans)
            if not spans or any(begin == end for begin, end in spans):
                raise Invalid("Enter an opening and a closing time for each open day.")
            return spans
    return ()


def _clock(text: str) -> str:
    try:
        return time.fromisoformat(text.strip()).strftime("%H:%M")
    except ValueError:
        raise Invalid("Enter an opening and a closing time for each open day.") from None
