"""By what calls and contacts are grouped, counted a second time: dimensions and periods."""

from collections.abc import Callable
from datetime import date
from typing import Any

from tests.support.recount.logs import FromLog

BANDS = (
    (0, 2, "0-2"),
    (3, 6, "3-6"),
    (7, 9, "7-9"),
    (10, 12, "10-12"),
    (13, 15, "13-15"),
    (16, 17, "16-17"),
    (18, 99, "18+"),
)


def _answers(one: FromLog) -> dict[str, Any]:
    return one.contact["answers"] if one.contact else {}


def children(one: FromLog) -> list[dict[str, Any]]:
    """Return what was answered about each child, except those of whom only the place is known."""
    found: dict[str, dict[str, Any]] = {}
    for path, value in _answers(one).items():
        if path.startswith("child."):
            parts = path.split(".")
            found.setdefault(parts[1], {})[parts[2] if len(parts) == 3 else "place"] = value
    return [c for c in found.values() if set(c) != {"place"}]


def _or(one: FromLog, values: set[str]) -> set[str]:
    return values or ({"?"} if one.contact else {"-"})


def _band(child: dict[str, Any]) -> str:
    if "age" not in child:
        return "?"
    return next(code for low, high, code in BANDS if low <= child["age"] <= high)


def _answer(one: FromLog, path: str) -> set[str]:
    value = _answers(one).get(path)
    return _or(one, set(value) if isinstance(value, list) else {value} if value else set())


DIMENSIONS: dict[str, Callable[[FromLog], set[str]]] = {
    "line": lambda one: {one.line},
    "language": lambda one: {one.language},
    "counsellor": lambda one: {one.counsellor},
    "place": lambda one: _answer(one, "contact.place"),
    "category": lambda one: _answer(one, "contact.categories"),
    "age_band": lambda one: _or(one, {_band(child) for child in children(one)}),
    "sex": lambda one: _or(one, {child.get("gender", "?") for child in children(one)}),
    "outcome": lambda one: {one.outcome},
    "circumstance": lambda one: {one.circumstance},
    "channel": lambda one: {one.channel},
    "setting": lambda one: _answer(one, "incident.where"),
    "perpetrator": lambda one: _answer(one, "incident.who"),
    "role": lambda one: _answer(one, "caller.role"),
    "category_group": lambda one: {
        c.partition("-")[0] or c for c in _answer(one, "contact.categories")
    },
    "living": lambda one: _or(one, {c["living"] for c in children(one) if "living" in c}),
}


def _clock(one: FromLog, minutes: int) -> str:
    offset = one.local.strftime("%z")
    wall = one.local.replace(tzinfo=None)
    begins = f"{wall:%Y-%m-%dT%H}:{wall.minute // minutes * minutes:02d}"
    return f"{begins}{offset[:3]}:{offset[3:]}"


def _week(one: FromLog) -> str:
    year, week, _ = one.local.isocalendar()
    return f"{year}-W{week:02d}"


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


PERIODS: dict[str, Callable[[FromLog], str]] = {
    "quarter_hour": lambda one: _clock(one, 15),
    "hour": lambda one: _clock(one, 60),
    "day": lambda one: one.local.date().isoformat(),
    "week": _week,
    "month": lambda one: one.local.strftime("%Y-%m"),
    "quarter": lambda one: f"{one.local.year}-Q{(one.local.month + 2) // 3}",
    "year": lambda one: str(one.local.year),
    "weekday_hour": lambda one: f"{_DAYS[one.local.weekday()]} {one.local.hour:02d}",
}


def within(ones: list[FromLog], begins: date, ends: date) -> list[FromLog]:
    """By the wall clock of the line, so midnight is the line's midnight."""
    return [one for one in ones if begins <= one.local.date() < ends]
