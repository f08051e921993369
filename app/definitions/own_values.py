"""Single values of a country's definitions that the helpline decides for itself.

`app/administration/own_settings.py` keeps them with the other settings of the helpline, and every
process learns them from there. What is not decided is as the definitions in force say.
"""

from collections.abc import Mapping
from datetime import time
from typing import Any, NamedTuple

from app.work import Ground

_KEPT = "own values of definitions"


class Bounds(NamedTuple):
    """The least and the most that a number can be."""

    least: int
    most: int


# Hours of rest (`rest.yaml`), the rota (`proposal.yaml`), planning (`facts.yaml`), and follow-ups
# (`country.yaml`). A share is in percent.
OWN_NUMBERS: Mapping[str, Bounds] = {
    "rest_daily_hours": Bounds(0, 23),
    "rest_weekly_hours": Bounds(0, 167),
    "week_most_hours": Bounds(1, 168),
    "week_usual_hours": Bounds(0, 168),
    "duty_begins_every_minutes": Bounds(30, 720),
    "rota_looked_back_weeks": Bounds(0, 26),
    "planning_at_least": Bounds(0, 100),
    "planning_shrinkage_percent": Bounds(0, 90),
    "planning_target_percent": Bounds(1, 99),
    "planning_patience_seconds": Bounds(1, 7200),
    "planning_slowdown_percent": Bounds(0, 100),
    "separation_follow_up_days": Bounds(1, 365),
}
# Times of day, as 22:00.
OWN_TIMES = ("night_from", "night_until", "follow_up_reminds_at")
# Lengths of duty in hours, the most wanted first, as `8 6.5 4`.
OWN_LENGTHS = ("duty_lengths_hours",)
OWN_VALUES = (*OWN_NUMBERS, *OWN_TIMES, *OWN_LENGTHS)


def keep_values(ground: Ground, values: Mapping[str, int | str]) -> None:
    """Work by these values from now on; the others are as the definitions say."""
    ground.kept[_KEPT] = dict(values)


def _decided(ground: Ground, names: Mapping[str, str]) -> dict[str, Any]:
    known: Mapping[str, Any] = ground.kept.get(_KEPT, {})
    return {own: known[name] for name, own in names.items() if name in known}


def decided(ground: Ground, names: Mapping[str, str]) -> dict[str, int]:
    """Return the decided numbers among these, under the names that their definition has."""
    return _decided(ground, names)


def shares(ground: Ground, names: Mapping[str, str]) -> dict[str, float]:
    """Return the decided percentages among these as shares of 1."""
    return {own: percent / 100 for own, percent in decided(ground, names).items()}


def times(ground: Ground, names: Mapping[str, str]) -> dict[str, time]:
    """Return the decided times of day among these."""
    return {own: time.fromisoformat(text) for own, text in _decided(ground, names).items()}


def lengths(ground: Ground, names: Mapping[str, str]) -> dict[str, list[float]]:
    """Return the decided lengths among these, in hours."""
    return {own: hours_in(text) for own, text in _decided(ground, names).items()}


def hours_in(text: str) -> list[float]:
    """Read lengths as they are stored. Raises ValueError."""
    return [float(one) for one in text.split()]


def hours_as_text(hours: list[float]) -> str:
    """Write lengths as they are stored."""
    return " ".join(f"{one:g}" for one in hours)
