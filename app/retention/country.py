"""How long a country keeps each kind of data, by its `retention.yaml`.

The person who puts the definitions in force decides so: see `by_country.py`.
"""

from functools import lru_cache
from typing import Literal

from pydantic import Field as Key
from pydantic import field_validator

from app.definitions.datafile import Part, read_model
from app.definitions.folder import Folder
from app.errors import BadText
from app.retention.kinds import MOST_DAYS, DataKind, least_days

FILE = "retention.yaml"
FOR_EVER = "for_ever"


class CountryRules(Part):
    """Days for which kinds are kept; the source says which law or agreement says so."""

    retention: str
    version: int = Key(ge=1)
    source: str = Key(min_length=1, max_length=400)
    days: dict[DataKind, int | Literal["for_ever"]] = Key(min_length=1)

    @field_validator("days")
    @classmethod
    def _days(
        cls, days: dict[DataKind, int | Literal["for_ever"]]
    ) -> dict[DataKind, int | Literal["for_ever"]]:
        for kind, one in days.items():
            least = least_days(kind)
            if isinstance(one, int) and not least <= one <= MOST_DAYS:
                raise BadText(
                    "%(kind)s: write %(least)s to %(most)s days, or %(word)s",
                    kind=kind.value,
                    least=least,
                    most=MOST_DAYS,
                    word=FOR_EVER,
                )
        return days

    @property
    def rules(self) -> dict[DataKind, int | None]:
        """The days of each kind that the country speaks of; None: for ever."""
        return {kind: one if isinstance(one, int) else None for kind, one in self.days.items()}


@lru_cache(maxsize=8)
def read_country(folder: Folder | None = None) -> CountryRules | None:
    """Read the country's retention.yaml; None if it has none. Raises BadDefinition."""
    text = folder.text(FILE) if folder is not None else None
    return read_model(CountryRules, text, FILE)[0] if text is not None else None
