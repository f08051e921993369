"""Written conversations that counsellors had at once: their load."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from app.statistics.counting.summary import Zones
from app.statistics.facts.columns import Words
from app.statistics.facts.days import Reading
from app.statistics.facts.held_time import COLUMNS
from app.statistics.measures import ratio
from app.statistics.periods import Period, Window

# From this number on, conversations at once are in one row.
MANY = 4


@dataclass
class AtOnce:
    """The seconds of counsellors with each number of conversations at once, from one on."""

    seconds: Counter[int] = field(default_factory=Counter)

    def figures(self) -> dict[str, float | int | None]:
        """Return the measures, by the names of `staff_measures.AT_ONCE`."""
        time = self.seconds.total()
        together = sum(number * seconds for number, seconds in self.seconds.items())
        many = sum(s for number, s in self.seconds.items() if number >= MANY)
        return {
            "chat_time": time,
            "chats_at_once": ratio(together, time),
            "chats_most": max(self.seconds, default=0),
            **{f"chats_{n}": ratio(self.seconds[n], time) for n in range(1, MANY)},
            "chats_more": ratio(many, time),
        }


async def by_counsellor(look: Reading, zones: Zones, window: Window) -> dict[str, AtOnce]:
    """Return the load of each counsellor in a window, in the country's zone."""
    found: dict[str, AtOnce] = {}
    for _, who, number, seconds in await _rows(look, zones, window, None):
        found.setdefault(who, AtOnce()).seconds[number] += seconds
    return found


async def by_period(
    look: Reading, zones: Zones, window: Window, period: Period | None
) -> list[tuple[str, AtOnce]]:
    """Return the load of all counsellors together in each period of a window. Raises BadWindow."""
    labels = zones.cuts(window, period)[""].labels
    found = [(label, AtOnce()) for label in labels]
    for place, _, number, seconds in await _rows(look, zones, window, period):
        found[place][1].seconds[number] += seconds
    return found


def together(found: list[AtOnce]) -> AtOnce:
    """Return the load of several counsellors or periods."""
    whole = AtOnce()
    for one in found:
        whole.seconds.update(one.seconds)
    return whole


async def _rows(
    look: Reading, zones: Zones, window: Window, period: Period | None
) -> list[tuple[int, str, int, int]]:
    """Return the period, the counsellor, the number at once, and the seconds."""
    cut = zones.cuts(window, period)[""]
    since, until = window.instants(zones.country)
    edges, bucket = np.array(cut.edges), np.array(cut.bucket)
    found: list[tuple[int, str, int, int]] = []
    async for block in look.times(since, until, "held_"):
        if COLUMNS[0] not in block.codes:
            continue
        at = block.numbers["held_at"].astype(np.int64)
        piece = np.searchsorted(edges, at, side="right") - 1
        inside = np.flatnonzero((piece >= 0) & (piece < len(bucket)))
        names = look.words.setdefault(COLUMNS[0], Words()).list
        columns = block.codes[COLUMNS[0]], *(block.numbers[name] for name in COLUMNS[2:])
        for place, who, number, seconds in zip(
            bucket[piece[inside]].tolist(), *(c[inside].tolist() for c in columns), strict=True
        ):
            found.append((place, names[who], number, seconds))
    return found
