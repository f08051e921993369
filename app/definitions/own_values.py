"""Single numbers of a country's definitions that the helpline decides for itself.

`app/country/own_settings.py` keeps them with the other settings of the helpline, and every process
learns them from there. What is not decided is as the definitions in force say.
"""

from collections.abc import Mapping
from typing import NamedTuple

from app.work import Ground

_KEPT = "own values of definitions"


class Bounds(NamedTuple):
    """The least and the most that a number can be."""

    least: int
    most: int


# Hours of rest (`rest.yaml`), hours a week (`proposal.yaml`), and planning (`facts.yaml`). A share
# is in percent.
OWN_VALUES: Mapping[str, Bounds] = {
    "rest_daily_hours": Bounds(0, 23),
    "rest_weekly_hours": Bounds(0, 167),
    "week_most_hours": Bounds(1, 168),
    "week_usual_hours": Bounds(0, 168),
    "planning_at_least": Bounds(0, 100),
    "planning_shrinkage_percent": Bounds(0, 90),
    "planning_target_percent": Bounds(1, 99),
    "planning_patience_seconds": Bounds(1, 7200),
    "planning_slowdown_percent": Bounds(0, 100),
}


def keep_values(ground: Ground, values: Mapping[str, int]) -> None:
    """Work by these numbers from now on; the others are as the definitions say."""
    ground.kept[_KEPT] = dict(values)


def values_of(ground: Ground) -> Mapping[str, int]:
    """Return the numbers that the helpline has decided."""
    found: Mapping[str, int] = ground.kept.get(_KEPT, {})
    return found


def decided(ground: Ground, names: Mapping[str, str]) -> dict[str, int]:
    """Return the decided numbers among these, under the names that their definition has."""
    known = values_of(ground)
    return {own: known[name] for name, own in names.items() if name in known}


def shares(ground: Ground, names: Mapping[str, str]) -> dict[str, float]:
    """Return the decided percentages among these as shares of 1."""
    return {own: percent / 100 for own, percent in decided(ground, names).items()}
