"""The rota of coming weeks, worked out: what it follows from, and the job that asks the solver.

The need is that of the page of the rota (the forecast, less what is planned). Where no line is
open, no counsellor is needed.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.calls.hours import OwnDays, open_stretches
from app.calls.lines.line_rows import Line
from app.database.topics import Topic
from app.jobs.passing import PASSING
from app.jobs.transaction import transaction
from app.routing.rota import changes, coverage, on_duty, own_rules, rest, roster, working_times
from app.routing.rota.on_duty import ChangeKind, Rota, Span
from app.routing.rota.planning_rows import ProposalState, RotaProposal
from app.routing.rota.proposals import proposals
from app.routing.rota.proposals.limits import times_for
from app.routing.rota.proposals.problem import (
    AROUND,
    Bar,
    NeededSlot,
    Problem,
    ProposedPerson,
    Want,
    is_night,
    is_weekend,
    midnight,
    touches,
)
from app.routing.rota.proposals.shortfalls import Shortfall, shortfalls
from app.routing.rota.proposals.solving import Solution, solve
from app.routing.rota.proposals.usual import Usual
from app.routing.rota.shifts import ALWAYS_UNTIL, Duty, Layer
from app.routing.rota.working_times import Times
from app.staff.models import Staff
from app.statistics.planning import planning
from app.work import PROGRAM, Ground, Work

_WEEK = timedelta(days=7)


async def carry_out(ground: Ground, proposal_id: UUID) -> None:
    """Work a proposal out. A second run does nothing; one that was discarded stays so."""
    try:
        async with transaction(ground, PROGRAM) as work:
            row = await proposals.find(work, proposal_id)
            if row.state != ProposalState.ASKED:
                return
            problem = await problem_of(work, row)
        # In a thread, and outside a transaction: the solver takes seconds.
        solution, left = await asyncio.to_thread(work_out, problem)
        async with transaction(ground, PROGRAM) as work:
            await proposals.keep(work, proposal_id, problem, solution, left)
    except Exception as error:
        # The job runs again after an error that may pass; any other error is final and shown.
        if not isinstance(error, PASSING):
            async with transaction(ground, PROGRAM) as work:
                await proposals.fail(work, proposal_id)
        raise


def work_out(problem: Problem) -> tuple[Solution, list[Shortfall]]:
    """Return the best rota that is found, and what it leaves uncovered."""
    solution = solve(problem)
    return solution, shortfalls(problem, solution.stretches)


async def problem_of(work: Work, proposal: RotaProposal) -> Problem:
    """Return everything that a proposal follows from, as it is now."""
    # What another process has changed a moment ago counts.
    work.ground.memory.forget(Topic.ROSTER)
    zone = await roster.home_zone(work)
    usual, rules = own_rules.usual_week(work.ground), own_rules.rest_rules(work.ground)
    mondays = tuple(proposal.first_on + n * _WEEK for n in range(proposal.weeks))
    since, until = midnight(mondays[0], zone), midnight(mondays[-1] + _WEEK, zone)
    found = await roster.rota_of(work)
    wants = await _wants(work, max(since, work.now), until)
    takers = await changes.people_of_rota(work)
    times = await working_times.all_times(work)
    before = await _before(work, since, zone, usual)
    people, others = list[ProposedPerson](), list[tuple[UUID, Bar]]()
    for staff in takers:
        known = times_for(staff, times, usual)
        bar = _left_out(staff, known)
        if bar is not None:
            others.append((staff.id, bar))
        else:
            person = _person(staff, known, found, (since, until), zone)
            covers = frozenset(n for n, (_, able) in enumerate(wants) if staff.id in able)
            nights, weekends = before.get(staff.id, (0, 0))
            people.append(replace(person, covers=covers, nights=nights, weekends=weekends))
    return Problem(
        mondays=mondays,
        zone=zone,
        now=work.now,
        slots=tuple(await _slots(work, since, until, zone, found)),
        wants=tuple(want for want, _ in wants),
        people=tuple(people),
        others=tuple(others),
        rules=rules,
        usual=usual,
        holidays=found.holidays,
    )


def _left_out(staff: Staff, times: Times) -> Bar | None:
    """Return why a person is not proposed at all, if they are not."""
    if staff.training:
        # A trainee covers a line only beside a supervisor: a planner places them.
        return Bar.TRAINEE
    return Bar.NOT_PLANNED if times.minutes == 0 else None


def _person(staff: Staff, times: Times, found: Rota, weeks: Span, zone: ZoneInfo) -> ProposedPerson:
    """Return what is known of a person in some weeks, and of the days around."""
    since, until = weeks[0] - _WEEK - AROUND, weeks[1] + _WEEK + AROUND
    duty = [
        one
        for one in on_duty.stretches(found.of([staff.id]), since, until)
        if one.counsellor_id == staff.id
    ]
    absent = [
        (change.start, change.end)
        for change in found.changes
        if change.kind is ChangeKind.ABSENCE and change.counsellor_id == staff.id
    ]
    days = [at.astimezone(zone).date() for at in (since, until)]
    return ProposedPerson(
        id=staff.id,
        name=staff.name,
        contract=times.minutes,
        available=times.spans(zone, *days),
        absent=tuple(absent),
        duty=tuple((one.start, one.end) for one in duty),
        worked=tuple((one.start, one.end) for one in duty if _is_work(one)),
        covers=frozenset(),
        writes=staff.chats_at_once > 0,
    )


def _is_work(duty: Duty) -> bool:
    """Return whether duty counts as work; people on call rest until their phone rings."""
    return duty.layer in coverage.COVERING and duty.end < ALWAYS_UNTIL


async def _wants(
    work: Work, since: datetime, until: datetime
) -> list[tuple[Want, frozenset[UUID]]]:
    """Return each line in a language, the hours that are uncovered, and who can cover them."""
    people = [one for one in await changes.people_of_rota(work) if not one.training]
    return [
        (
            Want(one.line_id, one.line, one.language, one.uncovered),
            frozenset(
                staff.id
                for staff in people
                if (not staff.languages or one.language in staff.languages)
                and (not staff.lines or one.number in staff.lines)
            ),
        )
        for one in await coverage.coverage(work, since, until)
    ]


async def _before(
    work: Work, since: datetime, zone: ZoneInfo, usual: Usual
) -> dict[UUID, tuple[int, int]]:
    """Return how many nights and weekend duties each person had in the weeks before."""
    begins = since - usual.looked_back_weeks * _WEEK
    found = await roster.rota_then(work, begins)
    counts: dict[UUID, list[int]] = defaultdict(lambda: [0, 0])
    for duty in on_duty.stretches(found, begins, since):
        if _is_work(duty) and duty.start >= begins:
            span = duty.start, duty.end
            counts[duty.counsellor_id][0] += is_night(span, zone, usual)
            counts[duty.counsellor_id][1] += is_weekend(span, zone, found.holidays)
    return {who: (nights, weekends) for who, (nights, weekends) in counts.items()}


async def _slots(
    work: Work, since: datetime, until: datetime, zone: ZoneInfo, found: Rota
) -> list[NeededSlot]:
    """Return each half hour to come, and how many more counsellors it needs than are planned.

    Those who can write are counted as such, too: the others take no conversation.
    """
    first = max(since, work.now).astimezone(zone).date()
    days = (until.astimezone(zone).date() - first).days
    # One day more on each side: the forecast counts days in the zone of the country.
    plan = await planning.plan(work, first_on=first - timedelta(days=1), days=days + 2)
    hours = await opened(work, since, until, found.own_days)
    planned = [
        duty for duty in on_duty.stretches(found, since, until) if duty.layer is Layer.PRIMARY
    ]
    writers = await _writers(work)
    slots = []
    for slot in plan.slots:
        span = slot.begins, slot.begins + timedelta(seconds=planning.HALF_HOUR)
        if not (max(since, work.now) <= span[0] < until):
            continue
        overlaps = [(planning.overlap(duty, span[0]), duty.counsellor_id) for duty in planned]
        there = int(sum(part for part, _ in overlaps) + 0.5)
        writing = int(sum(part for part, who in overlaps if who in writers) + 0.5)
        needed, to_write = slot.to_roster, slot.writers_to_roster
        if not any(touches(span, one) for one in hours):
            needed = to_write = 0
        slots.append(NeededSlot(span[0], max(needed - there, 0), max(to_write - writing, 0)))
    return slots


async def _writers(work: Work) -> frozenset[UUID]:
    """Return who takes written conversations."""
    rows = await work.session.scalars(select(Staff.id).where(Staff.chats_at_once > 0))
    return frozenset(rows)


async def opened(work: Work, since: datetime, until: datetime, own: OwnDays) -> Sequence[Span]:
    """Return when any line is open."""
    rows = await work.session.scalars(
        select(Line).where(Line.active, Line.practice.is_(False)).order_by(Line.id)
    )
    return rest.work_of(
        span
        for line in rows
        for span in open_stretches(
            line.opening_hours, line.timezone, line.country, since, until, own
        )
    )
