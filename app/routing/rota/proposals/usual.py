"""How a rota is proposed, by a country's `proposal.yaml`. Pure."""

from datetime import time, timedelta
from functools import lru_cache
from pathlib import Path

from pydantic import Field as Key
from pydantic import field_validator

from app.definitions.datafile import Part, read_model
from app.definitions.folder import Folder, shipped_folder
from app.errors import BadText

SHIPPED = Path(__file__).parent.parent / "data"
FILE = "proposal.yaml"


MOST_LENGTHS = 6


def checked_lengths(hours: list[float]) -> list[float]:
    """Return lengths of duty in hours. Raises ValueError, also BadText, if they are no use."""
    if not 1 <= len(hours) <= MOST_LENGTHS:
        raise BadText("there are one to six lengths of duty")
    if any(not 1 <= one <= 24 or one * 2 != int(one * 2) for one in hours):
        raise BadText("a length is 1 to 24 hours, in half hours")
    if len(set(hours)) != len(hours):
        raise BadText("name each length once")
    return hours


class Usual(Part):
    """Lengths and beginnings of duty, what a night is, and the hours of a week."""

    proposal: str
    version: int = Key(ge=1)
    lengths_hours: list[float] = Key(min_length=1, max_length=MOST_LENGTHS)
    begins_every_minutes: int = Key(ge=30, le=720)
    night_from: time
    night_until: time
    usual_hours: int = Key(ge=0, le=168)
    most_hours: int = Key(ge=1, le=168)
    looked_back_weeks: int = Key(ge=0, le=26)
    seconds: float = Key(gt=0, le=300)

    @field_validator("lengths_hours")
    @classmethod
    def _lengths(cls, hours: list[float]) -> list[float]:
        return checked_lengths(hours)

    @property
    def lengths(self) -> list[timedelta]:
        return [timedelta(hours=one) for one in self.lengths_hours]


@lru_cache(maxsize=8)
def read_usual(folder: Folder | None = None) -> Usual:
    """Read the country's proposal.yaml, or the shipped one. Raises BadDefinition."""
    own = folder.text(FILE) if folder is not None else None
    text = own if own is not None else shipped_folder(SHIPPED).text(FILE)
    return read_model(Usual, text or "", FILE)[0]
