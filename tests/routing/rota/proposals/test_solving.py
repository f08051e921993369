"""What a proposed rota keeps to: rest, absence, contract, need; and what it says of the rest."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import highspy
import pytest

from app.routing.rota.on_duty import Span
from app.routing.rota.proposals.problem import (
    AROUND,
    HALF_HOUR,
    Bar,
    NeededSlot,
    Problem,
    ProposedPerson,
    Want,
    bar_of,
    midnight,
    minutes_of,
    touches,
)
from app.routing.rota.proposals.shortfalls import Shortfall, shortfalls
from app.routing.rota.proposals.solving import Solution, left_of, solve
from app.routing.rota.proposals.usual import read_usual
from app.routing.rota.rest import longest_free, read_rules, short_rests
from tests.support.profile import nightly

pytestmark = pytest.mark.whole

ZONE = ZoneInfo("Europe/Belgrade")
MONDAY = date(2030, 1, 21)
WEEK = timedelta(days=7)
SEEDS = range(40)


def at(day: int, hour: int) -> datetime:
    """Return an instant of a day from the first Monday on."""
    return midnight(MONDAY + timedelta(days=day), ZONE) + timedelta(hours=hour)


def a_person(number: int, hours: int = 40, **more: object) -> ProposedPerson:
    person = ProposedPerson(
        UUID(int=number), f"p{number:02}", hours * 60, None, (), (), (), frozenset({0})
    )
    return replace(person, **more)  # type: ignore[arg-type]


def a_problem(
    people: list[ProposedPerson],
    *,
    weeks: int = 1,
    from_hour: int = 8,
    until: int = 20,
    need: int = 1,
) -> Problem:
    """Return a problem of a line that is open between two hours of each day."""
    days = range(7 * weeks)
    opened = tuple((at(day, from_hour), at(day, until)) for day in days)
    slots = tuple(
        NeededSlot(at(day, 0) + n * HALF_HOUR, need if from_hour * 2 <= n < until * 2 else 0)
        for day in days
        for n in range(48)
    )
    return Problem(
        mondays=tuple(MONDAY + n * WEEK for n in range(weeks)),
        zone=ZONE,
        now=datetime(2030, 1, 14, 9, tzinfo=UTC),
        slots=slots,
        wants=(Want(UUID(int=1), "Plavi telefon", "sr", opened),),
        people=tuple(people),
        others=(),
        rules=read_rules(),
        usual=read_usual(),
    )


def by_person(solution: Solution) -> dict[ProposedPerson, list[Span]]:
    found: dict[ProposedPerson, list[Span]] = defaultdict(list)
    for one in solution.stretches:
        found[one.person].append(one.span)
    return found


def check(problem: Problem, solution: Solution) -> list[Shortfall]:
    """Check everything that holds for each proposal; return what it leaves uncovered."""
    for person, spans in by_person(solution).items():
        worked = [*person.worked, *spans]
        known = {(one.begins, one.ends) for one in short_rests(person.worked, problem.rules)}
        for short in short_rests(worked, problem.rules):
            assert (short.begins, short.ends) in known, f"{person.name}: too little rest"
        for monday in (problem.mondays[0] - WEEK, *problem.mondays, problem.mondays[-1] + WEEK):
            week = problem.week(monday)
            free = longest_free(worked, *week, AROUND)
            before = longest_free(person.worked, *week, AROUND)
            assert free >= problem.rules.weekly or free == before, f"{person.name}: no free day"
            minutes = sum(minutes_of(one) for one in spans if week[0] <= one[0] < week[1])
            assert minutes <= person.contract
        for span in spans:
            assert span[0] > problem.now
            assert not any(touches(span, one) for one in (*person.absent, *person.duty))
            inside = person.available is None or any(
                begin <= span[0] and span[1] <= end for begin, end in person.available
            )
            assert inside, f"{person.name} cannot work then"
    left = left_of(problem)
    for one in solution.stretches:
        left.take(one.person, one.span)
    said = shortfalls(problem, solution.stretches)
    for numbers, writing in ((left.missing, False), (left.writers, True)):
        told_of = [one for one in said if one.want is None and one.writing is writing]
        for begins, missing in numbers.items():
            span = begins, begins + HALF_HOUR
            told = [one.short for one in told_of if touches(one.span, span)]
            assert told == ([missing] if missing > 0 else []), "what is short is said, and no more"
    for n, uncovered in enumerate(left.uncovered):
        for slot in problem.slots:
            told = [1 for one in said if one.want == n and touches(one.span, slot.span)]
            assert bool(told) is (slot.begins in uncovered)
    return said


def test_enough_people_cover_everything() -> None:
    problem = a_problem([a_person(n) for n in range(1, 5)])
    solution = solve(problem)
    assert check(problem, solution) == []
    assert not solution.stopped


def test_the_same_problem_has_the_same_solution() -> None:
    problem = a_problem([a_person(n, 30) for n in range(1, 4)])
    assert solve(problem) == solve(problem)


def test_nights_around_the_clock_are_covered_and_spread() -> None:
    problem = a_problem([a_person(n, 30) for n in range(1, 8)], from_hour=0, until=24)
    solution = solve(problem)
    assert check(problem, solution) == []
    found = by_person(solution)
    nights = [sum(problem.is_night(one) for one in found[who]) for who in problem.people]
    weekends = [sum(problem.is_weekend(one) for one in found[who]) for who in problem.people]
    assert max(nights) - min(nights) <= 1
    assert max(weekends) - min(weekends) <= 1


def test_who_had_more_nights_before_has_fewer_now() -> None:
    people = [a_person(1, 40, nights=8), a_person(2, 40), a_person(3, 40)]
    problem = a_problem(people, from_hour=0, until=6)
    problem = replace(problem, usual=problem.usual.model_copy(update={"lengths_hours": [6.0]}))
    solution = solve(problem)
    found = by_person(solution)
    assert len(found[people[0]]) < min(len(found[people[1]]), len(found[people[2]]))
    check(problem, solution)


def test_what_one_person_cannot_do_is_said_with_the_reason() -> None:
    ana = a_person(1, 16, absent=((at(0, 0), at(1, 0)),))
    boris = a_person(2, 40, covers=frozenset(), available=((at(2, 8), at(2, 16)),))
    problem = replace(a_problem([ana, boris]), others=((UUID(int=9), Bar.TRAINEE),))
    solution = solve(problem)
    said = check(problem, solution)
    found = by_person(solution)
    assert sum(minutes_of(one) for one in found[ana]) == 16 * 60
    assert found[boris] == [(at(2, 8), at(2, 16))]
    monday = next(one for one in said if one.want == 0 and one.span[0] == at(0, 8))
    assert monday.span == (at(0, 8), at(0, 20))
    assert dict(monday.why) == {
        ana.id: Bar.ABSENT,
        boris.id: Bar.LANGUAGE,
        UUID(int=9): Bar.TRAINEE,
    }
    number = next(
        one for one in said if one.want is None and touches(one.span, (at(0, 9), at(0, 10)))
    )
    assert (number.short, dict(number.why)[boris.id]) == (1, Bar.UNAVAILABLE)
    last = [dict(one.why)[ana.id] for one in said if one.span[0] > at(1, 20)]
    assert Bar.HOURS in last


def test_another_use_of_the_solver_in_the_process_changes_nothing() -> None:
    """What runs first in a process decides with how many threads HiGHS works there."""
    highspy.Highs.resetGlobalScheduler(True)
    other = highspy.Highs()  # type: ignore[no-untyped-call]
    other.setOptionValue("output_flag", False)
    other.setOptionValue("threads", 2)
    other.run()
    solution = solve(a_problem([a_person(1, 40), a_person(2, 40)]))
    assert solution.stretches
    assert not solution.stopped


def test_planned_duty_is_left_alone_and_rest_around_it_is_kept() -> None:
    night = ((at(1, 22), at(2, 6)),)
    ana = a_person(1, 40, duty=night, worked=night)
    problem = a_problem([ana])
    solution = solve(problem)
    check(problem, solution)
    spans = by_person(solution)[ana]
    assert spans
    assert all(one[1] <= at(1, 11) or one[0] >= at(2, 17) for one in spans)


def test_a_person_who_has_no_free_day_as_it_is_gets_no_more_duty() -> None:
    worked = tuple((at(day, 12), at(day, 16)) for day in range(7))
    ana = a_person(1, 40, duty=worked, worked=worked)
    problem = a_problem([ana])
    assert bar_of(problem, ana, (at(3, 22), at(4, 1))) is Bar.DAILY_REST
    assert solve(problem).stretches == ()


# By day the cases below are checked by the same rules.
@nightly
@pytest.mark.parametrize("seed", SEEDS)
def test_no_proposal_breaks_a_rule(seed: int) -> None:
    dice = Random(seed)
    people = []
    for number in range(1, 7):
        begins = at(dice.randrange(-7, 12), dice.choice((6, 8, 14, 22)))
        duty = ((begins, begins + timedelta(hours=dice.choice((4, 8, 12)))),)
        away = at(dice.randrange(0, 14), dice.randrange(24))
        free = tuple((at(day, 6), at(day, dice.choice((16, 22)))) for day in range(14) if day % 5)
        people.append(
            a_person(
                number,
                dice.choice((0, 8, 20, 40)),
                duty=duty,
                worked=duty,
                absent=((away, away + timedelta(hours=dice.choice((5, 40)))),),
                available=dice.choice((None, free)),
                covers=frozenset(dice.sample([0], dice.randrange(2))),
            )
        )
    people = [one for one in people if one.contract]
    hours = dice.choice(((8, 20), (0, 24), (9, 21)))
    problem = a_problem(
        people,
        weeks=2,
        from_hour=hours[0],
        until=hours[1],
        need=dice.choice((1, 2)),
    )
    check(problem, solve(problem))


def test_those_who_can_write_are_proposed_where_children_write() -> None:
    """Of those who cover a line some can write; where they are too few, it is said who cannot."""
    people = [a_person(1, 20, writes=True), a_person(2, 60), a_person(3, 60)]
    problem = a_problem(people, from_hour=8, until=16)
    evenings = tuple(
        replace(slot, writers=1) if slot.missing and slot.begins >= at(3, 0) else slot
        for slot in problem.slots
    )
    problem = replace(problem, slots=evenings)
    solution = solve(problem)
    left = check(problem, solution)
    wrote = by_person(solution)[people[0]]
    assert wrote, "they are proposed"
    assert all(span[0] >= at(3, 0) for span in wrote), "where they are needed"
    short = [one for one in left if one.writing]
    assert short, "of 32 hours they work 20"
    assert (people[1].id, Bar.NO_WRITING) in short[0].why
    assert not [one for one in left if not one.writing], "calls are covered by the others"


# By day `tests/routing/rota/test_on_duty.py` has the hours of such a week.
@nightly
def test_a_week_in_which_the_clocks_change_is_proposed_like_any_other() -> None:
    problem = a_problem([a_person(n, 40) for n in range(1, 5)], from_hour=0, until=24)
    monday = date(2030, 3, 25)
    begins, ends = midnight(monday, ZONE), midnight(monday + WEEK, ZONE)
    number = int((ends - begins) / HALF_HOUR)
    assert number == 7 * 48 - 2
    # People are needed on the last two days: the hour is left out in the night between them.
    first = number - 94
    slots = tuple(NeededSlot(begins + n * HALF_HOUR, int(n >= first)) for n in range(number))
    want = replace(problem.wants[0], uncovered=((begins + first * HALF_HOUR, ends),))
    problem = replace(problem, mondays=(monday,), slots=slots, wants=(want,))
    assert check(problem, solve(problem)) == []


def test_no_one_is_proposed_where_nothing_is_missing() -> None:
    problem = replace(a_problem([a_person(1, covers=frozenset())]), slots=(), wants=())
    assert solve(problem) == Solution((), False)
    assert shortfalls(problem, ()) == []
