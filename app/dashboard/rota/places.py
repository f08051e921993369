"""Where a stretch of duty stands, as one word in an address or a form."""

from datetime import datetime
from uuid import UUID

from app.errors import Invalid
from app.routing.rota.shifts import Layer, Place


def place_word(place: Place) -> str:
    """Return a place as one word: person, beginning, end, layer."""
    parts = (str(place.counsellor_id), place.start.isoformat(), place.end.isoformat())
    return "~".join((*parts, place.layer.value))


def read_place(word: str) -> Place:
    """Return the place that `place_word` wrote. Raises Invalid."""
    try:
        who, start, end, layer = word.split("~")
        place = Place(
            UUID(who), datetime.fromisoformat(start), datetime.fromisoformat(end), Layer(layer)
        )
    except ValueError:
        place = None
    if place is None or place.start.tzinfo is None or place.end.tzinfo is None:
        raise Invalid("This address is not complete. Open the duty from the rota.")
    return place
