"""What a person learns of single months who subtracts windows of a table from each other.

The attacker knows how numbers are rounded and how many records a month has on the average, not the
secret. They weigh all windows together (Gibbs sampling over the months: Geman and Geman, 1984) and
guess the most likely count of each month. `python -m tests.statistics.test_windows` prints the
figures of docs/small-numbers.md.
"""

import random
from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from app.statistics.protection import budget
from app.statistics.protection.guard import BASE, Rounding
from tests.support.profile import WHOLE, by_day

MONTHS = 60
Windows = list[tuple[int, int]]
EVERY: Windows = list(combinations(range(MONTHS + 1), 2))
# One table by month shows all of these.
SINGLE: Windows = [(month, month + 1) for month in range(MONTHS)]
_SWEEPS, _BURNT = 60, 20


def shown_of(dice: random.Random, counts: NDArray[np.int64], windows: Windows) -> NDArray[np.int64]:
    """Return the count of each window as the program shows it."""
    rounding = Rounding(dice.randbytes(32))
    keys = rounding.keys(dice.randbytes(16 * int(counts.sum()))).astype(object)
    ends = [0, *np.cumsum(counts).tolist()]
    return np.array(
        [rounding.rounded(ends[j] - ends[i], int(sum(keys[ends[i] : ends[j]]))) for i, j in windows]
    )


def _likely(differences: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the logarithm of how likely a number is shown that differs so much from its count."""
    return np.log(np.clip(1 - np.abs(differences) / BASE, 1e-20, 1))


class Attack:
    """Guesses of all months, drawn again and again as likely as they are."""

    def __init__(self, seed: int, shown: NDArray[np.int64], windows: Windows, mean: float) -> None:
        self._dice = np.random.default_rng(seed)
        self._inside = np.zeros((len(windows), MONTHS), dtype=np.int64)
        for row, (i, j) in enumerate(windows):
            self._inside[row, i:j] = 1
        self._most = int(4 * mean) + 9
        self._prior = np.cumsum([-mean, *np.log(mean / np.arange(1, self._most))])
        # The first guess: least squares.
        weight = self._inside.T * 0.75
        square = weight @ self._inside + np.eye(MONTHS) / mean
        more = np.linalg.solve(square, weight @ (shown - self._inside.sum(axis=1) * mean))
        self.guess = np.clip(np.rint(more + mean), 0, self._most - 1).astype(np.int64)
        self._off = self._inside @ self.guess - shown

    def _draw(
        self,
        rows: NDArray[np.intp],
        signs: NDArray[np.int64],
        steps: NDArray[np.int64],
        prior: NDArray[np.float64],
    ) -> int:
        """Draw by how much a month grows, with how likely each step is without the windows."""
        found = prior + _likely(self._off[rows][:, None] + signs[:, None] * steps).sum(axis=0)
        chances = np.exp(found - found.max())
        step = int(self._dice.choice(steps, p=chances / chances.sum()))
        self._off[rows] += signs * step
        return step

    def _sweep(self) -> None:
        for month in range(MONTHS):
            rows = np.nonzero(self._inside[:, month])[0]
            steps = np.arange(self._most) - self.guess[month]
            ones = np.ones(len(rows), dtype=np.int64)
            self.guess[month] += self._draw(rows, ones, steps, self._prior)
        # One record from a month to the next one: that changes few windows.
        for month in range(MONTHS - 1):
            signs = self._inside[:, month] - self._inside[:, month + 1]
            rows = np.nonzero(signs)[0]
            here, there = self.guess[month : month + 2].tolist()
            low, high = max(-here, there - self._most + 1), min(there, self._most - 1 - here)
            steps = np.arange(low, high + 1)
            prior = self._prior[here + steps] + self._prior[there - steps]
            step = self._draw(rows, signs[rows], steps, prior)
            self.guess[month] += step
            self.guess[month + 1] -= step

    def best(self) -> NDArray[np.int64]:
        """Return the count of each month that was drawn most often."""
        drawn = np.zeros((MONTHS, self._most), dtype=np.int64)
        for turn in range(_SWEEPS):
            self._sweep()
            if turn >= _BURNT:
                drawn[np.arange(MONTHS), self.guess] += 1
        return drawn.argmax(axis=1)


def spread(seed: int, number: int) -> Windows:
    """Return windows over all months, besides the table by month."""
    return [*SINGLE, *random.Random(seed).sample(EVERY, number)]


def around(month: int, number: int) -> Windows:
    """Return the windows that tell most of one month: in pairs that differ by it."""
    found = dict.fromkeys(SINGLE)
    for far in range(1, MONTHS):
        for i, j in (
            (month - far, month),
            (month - far, month + 1),
            (month, month + 1 + far),
            (month + 1, month + 1 + far),
        ):
            if 0 <= i < j <= MONTHS and len(found) < len(SINGLE) + number:
                found[i, j] = None
    return list(found)


def right(
    seeds: Iterable[int], mean: float, number: int, month: int | None = None
) -> tuple[int, int]:
    """Return how many months with a record were guessed right, and how many there were; of one
    month, with the windows around it."""
    hits = of = 0
    for seed in seeds:
        dice = random.Random(seed)
        counts = np.random.default_rng(seed).poisson(mean, MONTHS)
        windows = spread(seed, number) if month is None else around(month, number)
        best = Attack(seed, shown_of(dice, counts, windows), windows, mean).best()
        asked = counts > 0 if month is None else np.arange(MONTHS) == month
        hits += int((best == counts)[asked].sum())
        of += int(asked.sum())
    return hits, of


@pytest.mark.parametrize(
    ("number", "least", "most"),
    by_day([(budget.IN_ALL, 0.6, 0.88), (0, 0.2, 0.55), (1830, 0.95, 1)]),
)
def test_the_budget_of_a_person_leaves_most_of_what_all_windows_tell_unknown(
    number: int, least: float, most: float
) -> None:
    hits, of = right(range(2 if WHOLE else 1), 3, number)
    assert least <= hits / of <= most, hits / of


if __name__ == "__main__":
    for mean in (3, 0.1):
        for number in (0, 150, budget.IN_ALL, 600, len(EVERY)):
            hits, of = right(range(12), mean, number)
            print(f"{mean} a month, {number} windows: {100 * hits / of:.0f} of 100")
    for number in (20, 40, 100, budget.OF_A_PERSON):
        hits, of = right(range(60), 3, number, 30)
        print(f"one month, {number} windows around it: {100 * hits / of:.0f} of 100")
