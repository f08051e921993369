"""What a proposal could not cover, and for each person what kept them from it. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.routing.rota.on_duty import Span
from app.routing.rota.proposals.problem import (
    HALF_HOUR,
    RANK,
    Bar,
    Problem,
    ProposedPerson,
    bar_of,
    spans_of_week,
    touches,
)
from app.routing.rota.proposals.solving import Stretch, left_of


@dataclass(frozen=True)
class Shortfall:
    """Hours that are not covered: by how many, or for which line in which language."""

    span: Span
    short: int
    want: int | None
    # What kept each person, by their name.
    why: tuple[tuple[UUID, Bar], ...]
    # Those who can write are too few.
    writing: bool = False


def shortfalls(problem: Problem, stretches: Iterable[Stretch]) -> list[Shortfall]:
    """Return what is left uncovered, in order: first each line in a language, then by number."""
    stretches = list(stretches)
    left = left_of(problem)
    for one in stretches:
        left.take(one.person, one.span)
    why = _Why(problem, stretches)
    found = []
    for n, there in enumerate(left.uncovered):
        for begin, end, _ in _runs({at: 1 for at in there if at >= problem.now}):
            found.append(Shortfall((begin, end), 1, n, why.of((begin, end), n)))
    for missing, writing in ((left.missing, False), (left.writers, True)):
        short = {at: max(number, 0) for at, number in missing.items() if at >= problem.now}
        for begin, end, number in _runs(short):
            if number:
                kept = why.of((begin, end), None, writing=writing)
                found.append(Shortfall((begin, end), number, None, kept, writing))
    return sorted(found, key=lambda one: (one.span[0], one.want is None, one.want or 0))


def _runs(numbers: dict[datetime, int]) -> list[tuple[datetime, datetime, int]]:
    """Return half hours in a row that have the same number."""
    runs: list[tuple[datetime, datetime, int]] = []
    for at in sorted(numbers):
        if runs and runs[-1][1] == at and runs[-1][2] == numbers[at]:
            runs[-1] = runs[-1][0], at + HALF_HOUR, numbers[at]
        else:
            runs.append((at, at + HALF_HOUR, numbers[at]))
    return runs


class _Why:
    """What kept people from each week's stretches, worked out once for each of them."""

    def __init__(self, problem: Problem, stretches: Iterable[Stretch]) -> None:
        self.problem = problem
        self.chosen: dict[UUID, list[Span]] = defaultdict(list)
        for one in stretches:
            self.chosen[one.person.id].append(one.span)
        self._bars: dict[tuple[UUID, Span], Bar | None] = {}
        self._spans: dict[tuple[UUID, int], list[Span]] = {}

    def of(
        self, span: Span, want: int | None, *, writing: bool = False
    ) -> tuple[tuple[UUID, Bar], ...]:
        """Return for each person the bar that they came nearest to passing."""
        kept = []
        for person in self.problem.people:
            if want is not None and want not in person.covers:
                kept.append((person.id, Bar.LANGUAGE))
                continue
            if writing and not person.writes:
                kept.append((person.id, Bar.NO_WRITING))
                continue
            bars = [self._bar(person, one) for one in self._near(person, span)]
            if bars and None not in bars:
                kept.append((person.id, max((b for b in bars if b), key=RANK.__getitem__)))
        return (*kept, *self.problem.others)

    def _near(self, person: ProposedPerson, span: Span) -> list[Span]:
        found = []
        for n, monday in enumerate(self.problem.mondays):
            if (person.id, n) not in self._spans:
                self._spans[person.id, n] = spans_of_week(self.problem, monday, person)
            found += [one for one in self._spans[person.id, n] if touches(one, span)]
        return found

    def _bar(self, person: ProposedPerson, span: Span) -> Bar | None:
        key = person.id, span
        if key not in self._bars:
            self._bars[key] = bar_of(self.problem, person, span, self.chosen[person.id])
        return self._bars[key]
