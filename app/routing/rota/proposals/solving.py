"""A rota for coming weeks as an integer programme, solved by HiGHS week by week. Pure.

A variable is a stretch that a person could have. What may not be together (two stretches without
the daily rest between them; a stretch and the free time that a week must hold) are intervals on the
line of time, of which at most one holds any instant. Weeks are solved one after the other: what a
person has in one counts in the next.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import inf
from typing import Any

from app.routing.rota.on_duty import Span
from app.routing.rota.proposals.problem import (
    AROUND,
    HALF_HOUR,
    Problem,
    ProposedPerson,
    bar_of,
    minutes_left,
    minutes_of,
    spans_of_week,
    touches,
)

# What a missing counsellor of a half hour costs, and a line that none covers: more than all else.
_SHORT, _UNCOVERED = 1_000.0, 2_000.0
# What a stretch costs: by itself, each half hour, and each place in the list of lengths.
_STRETCH, _HALF_HOUR, _LENGTH = 1.0, 0.3, 0.4
# Spreading: one more night or weekend duty costs more for a person who had more; so do hours.
_NIGHT, _WEEKEND, _HOUR = 3.0, 2.0, 3.0
_STEPS = 8
# A search that goes on for longer gains little. Counted, not timed: the same rota comes out again.
_MOST_NODES = 400
# With this many stretches a first rota is near the best; branching finds no better one in time.
_BRANCHED = 4_000
# A rota that costs so much more than the best is as good as it, and more so of many people.
_GAP, _GAP_OF_PERSON = 4.0, 0.5
_NEARLY_NONE = 1e-4
# What HiGHS calls a solution that keeps to all rows.
_FEASIBLE = 2


@dataclass(frozen=True)
class Stretch:
    """A proposed stretch of duty."""

    person: ProposedPerson
    span: Span


@dataclass(frozen=True)
class Solution:
    """The stretches, and whether the search ended at its time limit."""

    stretches: tuple[Stretch, ...]
    stopped: bool


@dataclass
class _Left:
    """What is still missing, half hour by half hour, while stretches are chosen."""

    missing: dict[datetime, int]
    # The half hours in which a want is uncovered.
    uncovered: list[set[datetime]]
    # How many who can write are missing.
    writers: dict[datetime, int]

    def take(self, person: ProposedPerson, span: Span) -> None:
        for at in halves(span):
            if at in self.missing:
                self.missing[at] -= 1
                self.writers[at] -= person.writes
            for n in person.covers:
                self.uncovered[n].discard(at)

    def helps(self, person: ProposedPerson, span: Span) -> int:
        """Return how much a stretch covers of what is missing."""
        return sum(
            (self.missing.get(at, 0) > 0)
            + (person.writes and self.writers.get(at, 0) > 0)
            + sum(2 for n in person.covers if at in self.uncovered[n])
            for at in halves(span)
        )


def halves(span: Span) -> Iterable[datetime]:
    """Yield the half hours that lie in a span."""
    at = span[0]
    if at.minute % 30 or at.second:
        at += HALF_HOUR - timedelta(minutes=at.minute % 30, seconds=at.second)
    while at + HALF_HOUR <= span[1]:
        yield at
        at += HALF_HOUR


def left_of(problem: Problem) -> _Left:
    """Return what is missing before anything is proposed."""
    uncovered = [
        {
            slot.begins
            for slot in problem.slots
            if any(touches(slot.span, h) for h in want.uncovered)
        }
        for want in problem.wants
    ]
    return _Left(
        {slot.begins: slot.missing for slot in problem.slots},
        uncovered,
        {slot.begins: slot.writers for slot in problem.slots},
    )


def solve(problem: Problem) -> Solution:
    """Return the best stretches that are found. The same problem has the same solution."""
    chosen: dict[int, list[Span]] = defaultdict(list)
    left, stopped = left_of(problem), False
    for monday in problem.mondays:
        week = _Week(problem, monday, chosen, left)
        found, in_time = week.search(problem.usual.seconds / len(problem.mondays))
        stopped |= not in_time
        # What the search left because its time was over comes after what it found.
        for offers in (lambda found=found: found, week.offers_by_worth):
            for n, span in offers():
                person = problem.people[n]
                helps = left.helps(person, span) > 0
                if helps and bar_of(problem, person, span, chosen[n]) is None:
                    chosen[n].append(span)
                    left.take(person, span)
    stretches = [Stretch(problem.people[n], span) for n, spans in chosen.items() for span in spans]
    stretches.sort(key=lambda one: (one.span, one.person.name))
    return Solution(tuple(stretches), stopped)


@dataclass
class _Week:
    """The programme of one week."""

    problem: Problem
    monday: date
    chosen: dict[int, list[Span]]
    left: _Left
    # Columns: the person and the stretch of each variable.
    offers: list[tuple[int, Span]] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    uppers: list[float] = field(default_factory=list)
    integers: int = 0
    rows: list[tuple[float, float, list[int], list[float]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for n, person in enumerate(self.problem.people):
            for span in spans_of_week(self.problem, self.monday, person):
                if self.left.helps(person, span) > 0 and self._may(n, person, span):
                    self.offers.append((n, span))
        for _, span in self.offers:
            self._column(self._cost(span))
        self.integers = len(self.offers)

    def _may(self, n: int, person: ProposedPerson, span: Span) -> bool:
        return bar_of(self.problem, person, span, self.chosen[n]) is None

    def _cost(self, span: Span) -> float:
        length = span[1] - span[0]
        lengths = self.problem.usual.lengths
        liked = lengths.index(length) if length in lengths else len(lengths)
        return _STRETCH + _LENGTH * liked + _HALF_HOUR * minutes_of(span) / 30

    def _column(self, cost: float, upper: float = 1.0) -> int:
        self.costs.append(cost)
        self.uppers.append(upper)
        return len(self.costs) - 1

    def _row(self, lower: float, upper: float, columns: Sequence[int], values: Any = None) -> None:
        found = [1.0] * len(columns) if values is None else list(values)
        self.rows.append((lower, upper, list(columns), found))

    def offers_by_worth(self) -> list[tuple[int, Span]]:
        """Return all offers, those that cover most first: what the search may have left."""
        people = self.problem.people
        return sorted(
            self.offers,
            key=lambda one: (-self.left.helps(people[one[0]], one[1]), one[1], people[one[0]].name),
        )

    def search(self, seconds: float) -> tuple[list[tuple[int, Span]], bool]:
        """Return the chosen stretches, and whether the search came to its end in time."""
        if not self.offers:
            return [], True
        self._cover()
        by_person: dict[int, list[int]] = defaultdict(list)
        for column, (n, _) in enumerate(self.offers):
            by_person[n].append(column)
        for n, columns in by_person.items():
            self._rest(n, columns)
            self._hours(n, columns)
        self._spread(by_person, self.problem.is_night, _NIGHT, nights=True)
        self._spread(by_person, self.problem.is_weekend, _WEEKEND, nights=False)
        values, in_time = _Solver(self, seconds).search()
        there = zip(self.offers, values, strict=False)
        return [one for one, value in there if value > 0.5], in_time

    def fits(self, n: int, span: Span, taken: list[Span]) -> bool:
        """Return whether a person can have a stretch beside those that were taken in this week."""
        worked = [*self.chosen[n], *taken]
        return bar_of(self.problem, self.problem.people[n], span, worked) is None

    def _cover(self) -> None:
        """Each half hour has the counsellors it needs, or is counted as short."""
        rows: dict[tuple[tuple[int, ...], int], float] = defaultdict(float)
        everyone: dict[datetime, list[int]] = defaultdict(list)
        writers: dict[datetime, list[int]] = defaultdict(list)
        able: dict[tuple[int, datetime], list[int]] = defaultdict(list)
        for column, (n, span) in enumerate(self.offers):
            for at in halves(span):
                everyone[at].append(column)
                if self.problem.people[n].writes:
                    writers[at].append(column)
                for want in self.problem.people[n].covers:
                    if at in self.left.uncovered[want]:
                        able[want, at].append(column)
        for at, columns in everyone.items():
            if (missing := self.left.missing.get(at, 0)) > 0:
                rows[tuple(columns), missing] += _SHORT
        for at, columns in writers.items():
            if (missing := self.left.writers.get(at, 0)) > 0:
                rows[tuple(columns), missing] += _SHORT
        for columns in able.values():
            rows[tuple(columns), 1] += _UNCOVERED
        for (columns_of, missing), cost in rows.items():
            short = self._column(cost, float(missing))
            self._row(float(missing), inf, [*columns_of, short])

    def _rest(self, n: int, columns: list[int]) -> None:
        """Keep the daily rest after each stretch, and one free time of the week."""
        rules = self.problem.rules
        intervals = [
            (self.offers[column][1][0], self.offers[column][1][1] + rules.daily, column)
            for column in columns
        ]
        # The daily rest after the stretch before is a part of the weekly rest.
        more = rules.weekly - rules.daily
        free = []
        for begins in sorted(self._free_from(n, columns)):
            column = self._column(0.0)
            free.append(column)
            intervals.append((begins, begins + more, column))
        if not free:
            for column in columns:
                self.uppers[column] = 0.0
            return
        self._row(1.0, 1.0, free)
        before: set[int] = set()
        for at in sorted({begin for begin, _, _ in intervals}, reverse=True):
            there = {column for begin, end, column in intervals if begin <= at < end}
            if len(there) > 1 and not there <= before:
                self._row(-inf, 1.0, sorted(there))
                before = there

    def _free_from(self, n: int, columns: list[int]) -> set[datetime]:
        """Return when the free time of the week can begin, after the daily rest."""
        problem, person = self.problem, self.problem.people[n]
        since, until = problem.week(self.monday)
        daily, weekly = problem.rules.daily, problem.rules.weekly
        worked = [*person.worked, *self.chosen[n]]
        ends = {since} | {end for _, end in worked} | {self.offers[c][1][1] for c in columns}
        return {
            end + daily
            for end in ends
            if since <= end < until
            and end + weekly <= until + AROUND
            and not any(touches((end, end + weekly), one) for one in worked)
        }

    def _hours(self, n: int, columns: list[int]) -> None:
        """Keep to the contract; the nearer to it, the more a further hour costs."""
        problem, person = self.problem, self.problem.people[n]
        at = problem.week(self.monday)[0]
        left = minutes_left(problem, person, self.chosen[n], at)
        minutes = [float(minutes_of(self.offers[column][1])) for column in columns]
        known = sum(minutes_of(one) for one in self.chosen[n])
        weeks = problem.mondays.index(self.monday)
        # A person who had more of their contract than others in the weeks before has less now.
        carried = known / person.contract - weeks * self._share_before()
        width = min(person.contract, problem.usual.most_hours * 60) / _STEPS
        spent = (person.contract - left) / max(width, 1.0)
        steps = []
        for step in range(_STEPS):
            room = min(max(step + 1 - spent, 0.0), 1.0) * width
            cost = max(_HOUR * (step / _STEPS + carried), 0.0) / 60
            steps.append(self._column(cost, room))
        self._row(0.0, 0.0, [*columns, *steps], [*minutes, *([-1.0] * len(steps))])

    def _share_before(self) -> float:
        """Return the mean share of their contract that people had in a week before."""
        weeks = self.problem.mondays.index(self.monday)
        if not weeks:
            return 0.0
        shares = [
            sum(minutes_of(span) for span in self.chosen[n]) / person.contract / weeks
            for n, person in enumerate(self.problem.people)
        ]
        return sum(shares) / len(shares)

    def _spread(
        self, by_person: dict[int, list[int]], counts: Any, cost: float, *, nights: bool
    ) -> None:
        """Let one more night or weekend duty cost more for a person who had more of them."""
        problem = self.problem
        full = problem.usual.usual_hours * 60 or 1
        had = {}
        for n in by_person:
            person = problem.people[n]
            before = person.nights if nights else person.weekends
            before += sum(1 for span in self.chosen[n] if counts(span))
            had[n] = before / max(person.contract / full, 0.1)
        least = min(had.values(), default=0.0)
        for n, columns in by_person.items():
            there = [column for column in columns if counts(self.offers[column][1])]
            if not there:
                continue
            share = max(problem.people[n].contract / full, 0.1)
            steps = [
                self._column(min(cost * (had[n] - least + step / share), 200.0))
                for step in range(7)
            ]
            self._row(0.0, 0.0, [*there, *steps], [*([1.0] * len(there)), *([-1.0] * 7)])


class _Solver:
    """A programme as HiGHS holds it."""

    def __init__(self, week: _Week, seconds: float) -> None:
        # Only the job that proposes loads the solver.
        import highspy
        import numpy as np

        self.week, self.names, self.seconds = week, highspy, seconds
        self.gap = _GAP + _GAP_OF_PERSON * len(week.problem.people)

        class Quiet(highspy.Highs):
            """HiGHS without its first line on standard output, where only our log lines are."""

            def enableCallbacks(self) -> None:
                self.setOptionValue("output_flag", False)
                super().enableCallbacks()  # type: ignore[no-untyped-call]

        self.highs: Any = Quiet()  # type: ignore[no-untyped-call]
        for name, value in (
            # Not a number of threads: HiGHS refuses one that differs from what it began with.
            ("parallel", "off"),
            ("random_seed", 0),
            ("mip_max_nodes", _MOST_NODES),
            ("mip_abs_gap", self.gap),
            ("mip_rel_gap", 0.0),
        ):
            self.highs.setOptionValue(name, value)
        number, none = len(week.costs), np.array([], dtype=np.int32)
        self.highs.addCols(
            number,
            np.array(week.costs),
            np.zeros(number),
            np.array(week.uppers),
            0,
            none,
            none,
            np.array([], dtype=np.float64),
        )
        starts = np.cumsum([0, *(len(row[2]) for row in week.rows)])
        self.highs.addRows(
            len(week.rows),
            np.array([row[0] for row in week.rows]),
            np.array([row[1] for row in week.rows]),
            int(starts[-1]),
            starts[:-1].astype(np.int32),
            np.array([column for row in week.rows for column in row[2]], dtype=np.int32),
            np.array([value for row in week.rows for value in row[3]]),
        )

    def search(self) -> tuple[list[float], bool]:
        """Return the values of the columns, and whether the search came to its end in time."""
        bound, dived, finished = self._dive()
        if not finished:
            return dived, False
        if self._cost(dived) - bound <= self.gap or self.week.integers > _BRANCHED:
            return dived, True
        for column in range(self.week.integers):
            self.highs.changeColBounds(column, 0.0, self.week.uppers[column])
            self.highs.changeColIntegrality(column, self.names.HighsVarType.kInteger)
        start = self.names.HighsSolution()
        start.col_value = dived
        self.highs.setSolution(start)
        values, in_time = self._run()
        if values is None or self._cost(values) > self._cost(dived):
            values = dived
        return values, in_time

    def _cost(self, values: list[float]) -> float:
        return sum(cost * value for cost, value in zip(self.week.costs, values, strict=True))

    def _run(self) -> tuple[list[float] | None, bool]:
        """Return the values of the columns, if there are any, and whether it came to its end."""
        # The clock of the solver goes on from run to run.
        self.highs.setOptionValue("time_limit", self.seconds)
        if self.highs.run() == self.names.HighsStatus.kError:
            raise RuntimeError("HiGHS refused the problem or an option.")
        status = self.highs.getModelStatus()
        values = list(self.highs.getSolution().col_value)
        found = self.highs.getInfo().primal_solution_status == _FEASIBLE
        return (values if found else None), status != self.names.HighsModelStatus.kTimeLimit

    def _dive(self) -> tuple[float, list[float], bool]:
        """Solve without whole numbers, fix what is nearly whole, and so on until all of it is.

        Return the cost that no rota is below, a first rota, and whether the time was enough for all
        of it.
        """
        bound, settled = -inf, set[int]()
        taken: dict[int, list[Span]] = defaultdict(list)
        first = [0.0] * len(self.week.costs)
        while True:
            values, _ = self._run()
            if values is None:
                return bound, first, False
            if not settled:
                bound = self._cost(values)
            open_ones = sorted(
                (-round(values[column], 6), column)
                for column in range(self.week.integers)
                if column not in settled and values[column] > _NEARLY_NONE
            )
            if all(-value > 1 - _NEARLY_NONE for value, _ in open_ones):
                return bound, values, True
            touched = set()
            for value, column in open_ones:
                n, span = self.week.offers[column]
                # From what is not whole, only the largest part of each person.
                if -value < 1 - _NEARLY_NONE and n in touched:
                    continue
                touched.add(n)
                settled.add(column)
                first[column] = float(self.week.fits(n, span, taken[n]))
                self.highs.changeColBounds(column, first[column], first[column])
                if first[column]:
                    taken[n].append(span)
