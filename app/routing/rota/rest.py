"""The rest between stretches of duty, by the rules of a country's `rest.yaml`. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from pydantic import Field as Key

from app.definitions.datafile import Part, read_model
from app.definitions.folder import Folder, shipped_folder
from app.routing.rota.on_duty import Span

SHIPPED = Path(__file__).parent / "data"
FILE = "rest.yaml"


class Rules(Part):
    """How many hours of rest a person has; the source says where the numbers come from."""

    rest: str
    version: int = Key(ge=1)
    source: str
    daily_hours: int = Key(ge=0, le=23)
    weekly_hours: int = Key(ge=0, le=167)

    @property
    def daily(self) -> timedelta:
        return timedelta(hours=self.daily_hours)

    @property
    def weekly(self) -> timedelta:
        return timedelta(hours=self.weekly_hours)

    @property
    def in_a_row(self) -> timedelta:
        """The longest work in a row that leaves the daily rest within 24 hours."""
        return timedelta(hours=24) - self.daily


@dataclass(frozen=True)
class Short:
    """A stretch of work that breaks the daily rest: too little before it, or too long itself."""

    begins: datetime
    ends: datetime
    # The rest before it if that is too short.
    rest: timedelta | None
    too_long: bool


@lru_cache(maxsize=8)
def read_rules(folder: Folder | None = None) -> Rules:
    """Read the country's rest.yaml, or the shipped one. Raises BadDefinition."""
    own = folder.text(FILE) if folder is not None else None
    text = own if own is not None else shipped_folder(SHIPPED).text(FILE)
    return read_model(Rules, text or "", FILE)[0]


def work_of(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, with those that touch or overlap as one."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((begin, end))
    return found


def short_rests(spans: Iterable[Span], rules: Rules) -> list[Short]:
    """Return each stretch of work that breaks the daily rest, in order."""
    found, before = list[Short](), None
    for begin, end in work_of(spans):
        rest = begin - before if before is not None else None
        short = rest is not None and rest < rules.daily
        too_long = end - begin > rules.in_a_row
        if short or too_long:
            found.append(Short(begin, end, rest if short else None, too_long))
        before = end
    return found


def longest_free(
    spans: Iterable[Span], since: datetime, until: datetime, around: timedelta = timedelta()
) -> timedelta:
    """Return the longest time without duty that begins in a window.

    `spans` are known for `around` after the window: rest that goes on there counts, too. Rest that
    has begun before counts only in the window. A week is free enough if this is at least the weekly
    rest.
    """
    edges = work_of(spans)
    ends = [since, *(max(end, since) for _, end in edges)]
    begins = [*(begin for begin, _ in edges), until + around]
    gaps = (begin - end for end, begin in zip(ends, begins, strict=True) if end < until)
    return max(gaps, default=timedelta())
