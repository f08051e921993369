"""The numbers of planning that are in force: the country's, with what the helpline has decided."""

from app.definitions import in_force
from app.definitions.own_values import decided, shares
from app.statistics.facts.questions import Planning, read_questions
from app.work import Ground

NUMBERS = {"planning_at_least": "at_least", "planning_patience_seconds": "patience_seconds"}
SHARES = {
    "planning_shrinkage_percent": "shrinkage",
    "planning_target_percent": "target_share",
    "planning_slowdown_percent": "slowdown",
}


def planning_of(ground: Ground) -> Planning:
    """Return the numbers by which staff is planned."""
    found = read_questions(in_force.folder_of(ground)).planning
    return found.model_copy(update={**decided(ground, NUMBERS), **shares(ground, SHARES)})
