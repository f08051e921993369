"""What is known when a rota is proposed, and what keeps a person from a stretch of duty. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from app.routing.rota.on_duty import Span
from app.routing.rota.proposals.usual import Usual
from app.routing.rota.rest import Rules, longest_free
from app.routing.rota.shifts import first_instant, last_instant

HALF_HOUR = timedelta(minutes=30)
WEEK = timedelta(days=7)
# Rest goes on into the days after a week.
AROUND = timedelta(days=2)
_NIGHT_HOLDS = timedelta(hours=3)


class Bar(StrEnum):
    """What keeps a person from a stretch; the later in this list, the nearer they came to it."""

    TRAINEE = "trainee"
    NOT_PLANNED = "not_planned"
    LANGUAGE = "language"
    NO_WRITING = "no_writing"
    ABSENT = "absent"
    UNAVAILABLE = "unavailable"
    ON_DUTY = "on_duty"
    DAILY_REST = "daily_rest"
    WEEKLY_REST = "weekly_rest"
    HOURS = "hours"


RANK = {bar: rank for rank, bar in enumerate(Bar)}


@dataclass(frozen=True)
class NeededSlot:
    """A half hour, and how many more counsellors it needs than are planned: in all, and of those
    who can write."""

    begins: datetime
    missing: int
    writers: int = 0

    @property
    def span(self) -> Span:
        return self.begins, self.begins + HALF_HOUR


@dataclass(frozen=True)
class Want:
    """A line in a language, and the open hours in which no planned counsellor covers it."""

    line_id: UUID
    line: str
    language: str
    uncovered: tuple[Span, ...]


@dataclass(frozen=True)
class ProposedPerson:
    """A counsellor who can be proposed: when, how much, and for what."""

    id: UUID
    name: str
    # Minutes of a week.
    contract: int
    # None: at any time.
    available: tuple[Span, ...] | None
    absent: tuple[Span, ...]
    # All planned duty, and the part that counts as work.
    duty: tuple[Span, ...]
    worked: tuple[Span, ...]
    # The places in `Problem.wants` that they cover.
    covers: frozenset[int]
    # Worked in the weeks before.
    nights: int = 0
    weekends: int = 0
    # Whether they take written conversations.
    writes: bool = False


@dataclass(frozen=True)
class Problem:
    """Everything that a proposal follows from: plain values."""

    # The Monday of each week, and the time zone of the helpline.
    mondays: tuple[date, ...]
    zone: ZoneInfo
    now: datetime
    slots: tuple[NeededSlot, ...]
    wants: tuple[Want, ...]
    people: tuple[ProposedPerson, ...]
    # People who are not proposed, each with the reason.
    others: tuple[tuple[UUID, Bar], ...]
    rules: Rules
    usual: Usual
    holidays: frozenset[date] = frozenset()

    def week(self, monday: date) -> Span:
        return midnight(monday, self.zone), midnight(monday + WEEK, self.zone)

    def monday_of(self, at: datetime) -> date:
        day = at.astimezone(self.zone).date()
        return day - timedelta(days=day.weekday())

    def is_night(self, span: Span) -> bool:
        return is_night(span, self.zone, self.usual)

    def is_weekend(self, span: Span) -> bool:
        return is_weekend(span, self.zone, self.holidays)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return first_instant(datetime.combine(day, time()), zone)


def is_weekend(span: Span, zone: ZoneInfo, holidays: frozenset[date]) -> bool:
    """Return whether a span begins on a Saturday, a Sunday or a holiday."""
    day = span[0].astimezone(zone).date()
    return day.weekday() >= 5 or day in holidays


def is_night(span: Span, zone: ZoneInfo, usual: Usual) -> bool:
    """Return whether a span holds enough of a night to count as one."""
    first = span[0].astimezone(zone).date() - timedelta(days=1)
    for n in range(3):
        day = first + timedelta(days=n)
        ends = day + timedelta(days=1) if usual.night_until <= usual.night_from else day
        begin = first_instant(datetime.combine(day, usual.night_from), zone)
        end = last_instant(datetime.combine(ends, usual.night_until), zone)
        if min(end, span[1]) - max(begin, span[0]) >= _NIGHT_HOLDS:
            return True
    return False


def minutes_of(span: Span) -> int:
    return round((span[1] - span[0]).total_seconds() / 60)


def touches(one: Span, other: Span) -> bool:
    return one[0] < other[1] and one[1] > other[0]


def bar_of(
    problem: Problem, person: ProposedPerson, span: Span, chosen: Sequence[Span] = ()
) -> Bar | None:
    """Return what keeps a person from a stretch besides those that were chosen; None if nothing."""
    if any(touches(span, absent) for absent in person.absent):
        return Bar.ABSENT
    if person.available is not None and not is_within(span, person.available):
        return Bar.UNAVAILABLE
    if any(touches(span, duty) for duty in (*person.duty, *chosen)):
        return Bar.ON_DUTY
    worked = (*person.worked, *chosen)
    broken = rest_broken(problem.rules, worked, span, problem.zone)
    if broken is not None:
        return broken
    if minutes_left(problem, person, chosen, span[0]) < minutes_of(span):
        return Bar.HOURS
    return None


def is_within(span: Span, available: Iterable[Span]) -> bool:
    """Return whether a span lies in one of these, which neither touch nor overlap each other."""
    return any(begin <= span[0] and span[1] <= end for begin, end in available)


def rest_broken(rules: Rules, worked: Sequence[Span], span: Span, zone: ZoneInfo) -> Bar | None:
    """Return which rest a further stretch of work would break, if one."""
    if span[1] - span[0] > rules.in_a_row:
        return Bar.DAILY_REST
    for begin, end in worked:
        if begin < span[1] + rules.daily and end > span[0] - rules.daily:
            return Bar.DAILY_REST
    day = span[0].astimezone(zone).date()
    monday = day - timedelta(days=day.weekday())
    for n in (-1, 0, 1):
        since, until = (midnight(monday + m * WEEK, zone) for m in (n, n + 1))
        # Only work near the week says how long the rest in it is.
        near = [one for one in worked if one[1] > since and one[0] < until + AROUND]
        if not near:
            continue
        if longest_free([*near, span], since, until, AROUND) >= rules.weekly:
            continue
        # A week that has too little rest already gets no more work, and no other week loses its
        # rest.
        if (
            touches(span, (since, until))
            or longest_free(near, since, until, AROUND) >= rules.weekly
        ):
            return Bar.WEEKLY_REST
    return None


def minutes_left(
    problem: Problem, person: ProposedPerson, chosen: Sequence[Span], at: datetime
) -> int:
    """Return how many minutes a person can still work in the week of an instant."""
    since, until = problem.week(problem.monday_of(at))
    spent = sum(minutes_of(one) for one in (*person.worked, *chosen) if since <= one[0] < until)
    return max(min(person.contract, problem.usual.most_hours * 60) - spent, 0)


def spans_of_week(problem: Problem, monday: date, person: ProposedPerson) -> list[Span]:
    """Return each stretch that a person could begin in a week, by when it would begin."""
    since, until = problem.week(monday)
    found = set()
    for n in range(7):
        day = monday + timedelta(days=n)
        for minute in range(0, 1440, problem.usual.begins_every_minutes):
            wall = datetime.combine(day, time()) + timedelta(minutes=minute)
            for length in problem.usual.lengths:
                start = first_instant(wall, problem.zone)
                found.add((start, last_instant(wall + length, problem.zone)))
    # Where a line opens or closes, planned duty begins or ends, or a person comes or goes.
    for edge in _edges(problem, person, (since, until)):
        for length in problem.usual.lengths:
            found.add((edge, edge + length))
            found.add((edge - length, edge))
    return sorted(
        span
        for span in found
        if since <= span[0] < until and span[0] > problem.now and span[0] < span[1]
    )


def _edges(problem: Problem, person: ProposedPerson, week: Span) -> set[datetime]:
    edges = {edge for want in problem.wants for span in want.uncovered for edge in span}
    # Where the need goes from none to some, or back.
    before = False
    for slot in problem.slots:
        now = slot.missing > 0 or slot.writers > 0
        if now is not before:
            edges.add(slot.begins)
            before = now
    edges |= {edge for span in person.available or () for edge in span}
    reach = max(problem.usual.lengths)
    return {edge for edge in edges if week[0] - reach <= edge <= week[1] + reach}
