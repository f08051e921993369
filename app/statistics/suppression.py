"""Hiding small numbers in tables that are published, so that no total gives them away. Pure.

Cells from 1 to 4 are hidden, and then as many others as are needed. What is published of one
period is one set of tables that share totals; all of it is known to whoever looks. So the test
is what they could do: for each hidden cell, work out by linear programming the least and the
greatest value that all published equations allow. A small cell is safe when that range is wider
than `WIDTH` and holds a number that is not small.

Source: the attacker's view of complementary suppression (Cox 1980; Fischetti and Salazar 2001).
The programs are solved by HiGHS.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import highspy
import numpy as np

SMALLEST = 5
# How uncertain a hidden small number has to stay: the greatest possible less the least possible.
WIDTH = 5


@dataclass(frozen=True)
class Equation:
    """The parts add up to the whole; all are names of cells.

    Where something may be in several parts (`overlapping`) they only cover it: no part is
    greater than the whole, and together they are not less.
    """

    whole: str
    parts: tuple[str, ...]
    overlapping: bool = False


@dataclass
class Tables:
    """Cells by name with their numbers, and the equations that everybody can see hold."""

    cells: dict[str, int]
    equations: list[Equation]
    hidden: set[str] = field(default_factory=set)
    # What is in no table and follows from what is: nobody shows it, anybody can work it out.
    latent: set[str] = field(default_factory=set)

    def check(self) -> None:
        """Raises ValueError where an equation does not hold: such tables are not published."""
        for one in self.equations:
            parts = [self.cells[part] for part in one.parts]
            whole = self.cells[one.whole]
            holds = sum(parts) == whole
            if one.overlapping:
                holds = sum(parts) >= whole >= max(parts, default=0)
            if not holds:
                raise ValueError(f"{one.whole} is not the sum of its parts")


def is_small(number: int) -> bool:
    return 0 < number < SMALLEST


class _Attacker:
    """Whoever has all that is published and wants to know what is not."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        names = sorted(tables.hidden | tables.latent)
        self._place = {name: n for n, name in enumerate(names)}
        self._solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        self._solver.silent()
        self._solver.setOptionValue("threads", 1)
        # As long as no nought is hidden, that a cell is hidden tells that it is none.
        least = 1.0 if all(tables.cells[name] for name in tables.hidden) else 0.0
        top = float(sum(tables.cells.values()) + 1)
        for name in names:
            self._solver.addVar(least if name in tables.hidden else 0.0, top)
        for one in tables.equations:
            if one.overlapping:
                # No part is greater than the whole, and together they are not less.
                for part in one.parts:
                    self._add(Equation(one.whole, (part,)), most=0.0)
                self._add(one, most=top)
            else:
                self._add(one)

    def _add(self, one: Equation, *, most: float | None = None) -> None:
        """Parts less whole is nought; with `most` it lies between nought and that, or, for one
        part alone, is at most nought."""
        known, index, value = 0, [], []
        for name, sign in ((one.whole, -1), *((part, 1) for part in one.parts)):
            if name in self._place:
                index.append(self._place[name])
                value.append(float(sign))
            else:
                known += sign * self._tables.cells[name]
        if index:
            least = -np.inf if most == 0.0 else float(-known)
            greatest = float(-known) if most is None else most - known
            self._solver.addRow(
                least, greatest, len(index), np.array(index, dtype=np.int32), np.array(value)
            )

    def range_of(self, name: str) -> tuple[int, int]:
        """The least and the greatest whole number that a hidden cell can be."""
        place = self._place[name]
        found = []
        for sense in (highspy.ObjSense.kMinimize, highspy.ObjSense.kMaximize):
            self._solver.changeObjectiveSense(sense)
            self._solver.changeColCost(place, 1.0)
            self._solver.run()
            found.append(self._solver.getInfo().objective_function_value)
            self._solver.changeColCost(place, 0.0)
        low, high = found
        return int(np.ceil(low - 1e-6)), int(np.floor(high + 1e-6))


def is_safe(low: int, high: int) -> bool:
    return high - low >= WIDTH and high >= SMALLEST


class TooSmall(ValueError):
    """So little is counted that whatever is shown of it gives something away."""


def suppress(tables: Tables) -> set[str]:
    """Hide cells until no small one can be worked out. Raises ValueError, TooSmall.

    In each round one more cell is hidden in an equation of each small cell that is known too
    well: the smallest of those shown in it, so that as little as possible is lost. Noughts are
    hidden only where nothing else is left.
    """
    tables.check()
    tables.hidden = {
        name
        for name, number in tables.cells.items()
        if is_small(number) and name not in tables.latent
    }
    small = set(tables.hidden)
    of_cell: dict[str, list[Equation]] = {}
    for one in tables.equations:
        for name in (one.whole, *one.parts):
            of_cell.setdefault(name, []).append(one)
    while open_ones := _known_too_well(tables, small):
        for least in (SMALLEST, 0):
            more = {_next_to_hide(tables, of_cell.get(name, []), least) for name in open_ones}
            more.discard(None)
            if not more:
                # Nothing is left in their own equations: hide further off.
                shown = [n for n in _shown(tables, least) if n not in tables.hidden]
                more = {min(shown, key=lambda n: (tables.cells[n], n))} if shown else set()
            if more:
                break
        if not more:
            raise TooSmall("There is too little to publish anything of it.")
        tables.hidden |= {name for name in more if name is not None}
    return tables.hidden


def _shown(tables: Tables, least: int) -> Iterable[str]:
    return (
        name
        for name, number in tables.cells.items()
        if number >= least and name not in tables.latent
    )


def _known_too_well(tables: Tables, small: set[str]) -> list[str]:
    attacker = _Attacker(tables)
    found = []
    for name in sorted(small):
        low, high = attacker.range_of(name)
        if not is_safe(low, high):
            found.append((high - low, name))
    return [name for _, name in sorted(found)]


def _next_to_hide(tables: Tables, equations: Sequence[Equation], least: int) -> str | None:
    """The smallest shown cell of the equation that hides least; a whole only after its parts."""
    best: tuple[int, int, int, str] | None = None
    for one in equations:
        names = (one.whole, *one.parts)
        hidden = sum(name in tables.hidden for name in names)
        for name in names:
            number = tables.cells[name]
            if name not in tables.hidden | tables.latent and number >= least:
                key = (hidden, int(name == one.whole), number, name)
                best = min(best or key, key)
    return best[3] if best else None
