"""Protect single contacts and referrals: figures on a fixed grid, rounded, the same for all.

Two windows that differ by an hour, two tables that differ by one dimension, the same table
requested twice: none of these may show whether a single contact is there. So

- what was said is counted only in whole months that are over, which never overlap;
- every number is rounded at random, up or down, to a multiple of 3, so that nothing is added on
  average (unbiased random rounding to base 3, as used by statistics offices);
- the random choice comes from the records themselves: each contact has a secret number, and the
  sum of those in a cell decides (the cell-key method: Fraser and Wooton, *A proposed method for
  confidentialising tabular output to protect against differencing*, 2005). The same contacts give
  the same number in every table, so repeated requests cannot be averaged; one contact more gives
  another draw.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from app.errors import NotAllowed
from app.privacy.hash_kinds import HashOf
from app.privacy.keys import Keys
from app.statistics.dimensions import COLUMN, Dimension
from app.statistics.facts.facts import COLUMNS
from app.statistics.periods import OF_MONTHS, Period, Window, last_whole
from app.words.pages import N_

BASE = 3
# Counts of contacts that show something that was said.
CONTENT_MEASURES = ("non_counselling", "urgent_contacts")
# For each count, the sum of its records' secret numbers.
KEY_OF = {
    "contacts": "key_contacts",
    "contacts_completed": "key_completed",
    "non_counselling": "key_non_counselling",
    "urgent_contacts": "key_urgent",
}
_LONG = (None, *OF_MONTHS)
_BITS = 32
_WORDS = N_(
    "What was said in contacts is counted by whole months, because shorter or overlapping windows "
    "would show single contacts. Choose a window from the first of a month to the first of another "
    "month that has begun everywhere (at 14:00 UTC)."
)


def is_content(dimension: Dimension) -> bool:
    """Return whether a dimension shows what was said."""
    return COLUMNS[COLUMN[dimension]].part == "record"


def on_grid(window: Window, period: Period | None, now: datetime) -> bool:
    """Return whether a window is of whole months that are over, without shorter periods.

    In a month that is not over, the tables of two days would show what was added in between.
    """
    begins, ends = window.begins, window.ends
    if type(begins) is not date or type(ends) is not date or period not in _LONG:
        return False
    # Over in every time zone.
    over = datetime.combine(ends, time(), UTC) + timedelta(hours=14) <= now
    return begins.day == ends.day == 1 and over


def last_over(now: datetime, period: Period = Period.MONTH) -> Window:
    """Return the newest month, quarter or year that is over in every time zone."""
    return last_whole(period, (now - timedelta(hours=14)).date())


def over_by(window: Window, now: datetime) -> Window:
    """Return a window cut off after the last whole month that is over, as for the current year.

    Raises NotAllowed if nothing is left, or if the window is not of whole months.
    """
    month = (now - timedelta(hours=14)).date().replace(day=1)
    ends = window.ends
    if type(ends) is date and ends > month:
        ends = month
    short = Window(window.begins, ends)
    if not (type(ends) is date and type(window.begins) is date and window.begins < ends):
        raise NotAllowed(_WORDS)
    if not on_grid(short, None, now):
        raise NotAllowed(_WORDS)
    return short


def check_grid(
    window: Window, period: Period | None, by: tuple[Dimension, ...], now: datetime
) -> None:
    """Check that a request for what was said is on the grid. Raises NotAllowed."""
    if any(is_content(d) for d in by) and not on_grid(window, period, now):
        raise NotAllowed(_WORDS)


@dataclass(frozen=True)
class Rounding:
    """Rounds counts by a secret of this helpline."""

    secret: bytes

    def keys(self, ids: bytes) -> NDArray[np.uint64]:
        """Return a number below 2**32 for each record, from its id of 16 bytes.

        The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) over both halves of the id
        and a secret: fast, and readers learn only which way a sum was rounded.
        """
        seeds = np.frombuffer(hashlib.sha256(self.secret).digest()[:16], dtype="<u8")
        halves = np.frombuffer(ids, dtype="<u8").reshape(-1, 2)
        return _mixed(_mixed(halves[:, 0] ^ seeds[0]) + halves[:, 1] + seeds[1]) >> np.uint64(32)

    def of_children(self, keys: NDArray[np.uint64], place: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the same for children, by their place within their own record."""
        return _mixed(keys + place.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(
            _BITS
        )

    def rounded(self, count: int, key: int) -> int:
        """Return a count as it is shown; `key` is the sum of its records' numbers."""
        rest = count % BASE
        if not rest:
            return count
        draw = self._draw(f"{count} {key % 2**_BITS}")
        return count - rest + (BASE if draw * BASE < rest else 0)

    def _draw(self, text: str) -> float:
        digest = hashlib.blake2b(text.encode(), key=self.secret[:64], digest_size=8).digest()
        return int.from_bytes(digest) / 2**64


def rounding_of(keys: Keys) -> Rounding:
    """Return the rounding of this helpline."""
    return Rounding(keys.lasting_secret(HashOf.STATISTICS, "cells"))


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
