"""The rules of the rota that are in force: the country's, with what the helpline has decided."""

from app.definitions import in_force
from app.definitions.own_values import decided, lengths, times
from app.routing.rota.proposals.usual import Usual, read_usual
from app.routing.rota.rest import Rules, read_rules
from app.work import Ground

REST = {"rest_daily_hours": "daily_hours", "rest_weekly_hours": "weekly_hours"}
WEEK = {
    "week_most_hours": "most_hours",
    "week_usual_hours": "usual_hours",
    "duty_begins_every_minutes": "begins_every_minutes",
    "rota_looked_back_weeks": "looked_back_weeks",
}
NIGHT = {"night_from": "night_from", "night_until": "night_until"}
LENGTHS = {"duty_lengths_hours": "lengths_hours"}


def rest_rules(ground: Ground) -> Rules:
    """Return the rest that people have between duties. Without `source`: the helpline says so."""
    found, own = read_rules(in_force.folder_of(ground)), decided(ground, REST)
    return found.model_copy(update={**own, "source": ""}) if own else found


def usual_week(ground: Ground) -> Usual:
    """Return how a rota is proposed, and the most hours of a week."""
    own = {**decided(ground, WEEK), **times(ground, NIGHT), **lengths(ground, LENGTHS)}
    return read_usual(in_force.folder_of(ground)).model_copy(update=own)
