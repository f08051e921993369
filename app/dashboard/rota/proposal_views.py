"""A proposed rota as a page shows it: a table of people and days, and what it could not cover."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from app.dashboard.rota.week_blocks import Block, Week, block_in
from app.dashboard.views import language_words
from app.routing.rota import changes, roster, working_times
from app.routing.rota.copying import monday_of
from app.routing.rota.on_duty import Span
from app.routing.rota.planning_rows import DutyState, ProposalState, ProposedDuty, RotaProposal
from app.routing.rota.proposals import proposals
from app.routing.rota.proposals.problem import Bar
from app.routing.rota.proposals.proposals import Uncovered
from app.routing.rota.shifts import first_instant
from app.words.pages import N_, _, day_words, list_words, number_words
from app.work import Work

BAR_WORDS = {
    Bar.TRAINEE: N_("in training, so placed by a planner: %(names)s"),
    Bar.NOT_PLANNED: N_("no hours of a week are written down: %(names)s"),
    Bar.LANGUAGE: N_("not for this line or language: %(names)s"),
    Bar.NO_WRITING: N_("do not write: %(names)s"),
    Bar.ABSENT: N_("absent: %(names)s"),
    Bar.UNAVAILABLE: N_("cannot work then: %(names)s"),
    Bar.ON_DUTY: N_("on duty then or nearly then: %(names)s"),
    Bar.DAILY_REST: N_("too little rest between duties: %(names)s"),
    Bar.WEEKLY_REST: N_("too little rest in the week: %(names)s"),
    Bar.HOURS: N_("the hours of the week are used up: %(names)s"),
}


@dataclass(frozen=True)
class Cell:
    """One proposed stretch in the table."""

    id: UUID
    words: str
    state: str
    label: str


@dataclass(frozen=True)
class PersonRow:
    id: UUID
    name: str
    hours: str
    days: list[list[Cell]]
    open: bool


@dataclass(frozen=True)
class WeekTable:
    """A week of a proposal: its days, and whether anything of each is not decided."""

    monday: date
    days: list[tuple[date, bool]]
    rows: list[PersonRow]


@dataclass(frozen=True)
class Left:
    """Hours that are not covered, and what kept people from them."""

    when: str
    what: str
    why: list[str]


async def proposal_values(work: Work) -> dict[str, Any]:
    """Return what the page of the proposed rota shows."""
    row, zone = await proposals.latest(work), await roster.home_zone(work)
    next_week = monday_of(work.now.astimezone(zone).date() + timedelta(days=7))
    values: dict[str, Any] = {
        "proposal": row,
        "zone": zone.key,
        "may_ask": row is None or row.state in (ProposalState.DECIDED, ProposalState.FAILED),
        "next_week": next_week,
        "most_weeks": proposals.MOST_WEEKS,
        "weeks": [],
        "left_open": [],
        "number": 0,
    }
    if row is None:
        return values
    names = {one.id: one.name for one in await changes.people_of_rota(work)}
    duties = await proposals.duties_of(work, row)
    open_ones = [one for one in duties if one.state == DutyState.PROPOSED]
    return {
        **values,
        "weeks": await _tables(work, row, duties, names, zone),
        "left_open": left_by_day(proposals.uncovered_of(row), names, zone),
        "number": len(open_ones),
        "people": len({one.counsellor_id for one in open_ones}),
        "all": len(duties),
        "accepted": sum(one.state == DutyState.ACCEPTED for one in duties),
    }


async def _tables(
    work: Work,
    row: RotaProposal,
    duties: list[ProposedDuty],
    names: dict[UUID, str],
    zone: ZoneInfo,
) -> list[WeekTable]:
    times = await working_times.all_times(work)
    tables = []
    for n in range(row.weeks):
        monday = row.first_on + timedelta(weeks=n)
        dates = [monday + timedelta(days=m) for m in range(7)]
        there = [one for one in duties if one.from_at.astimezone(zone).date() in dates]
        open_on = {
            one.from_at.astimezone(zone).date() for one in there if one.state == DutyState.PROPOSED
        }
        by_person: dict[UUID, list[ProposedDuty]] = defaultdict(list)
        for one in there:
            by_person[one.counsellor_id].append(one)
        rows = [
            _row(who, names.get(who, "?"), by_person[who], dates, times.get(who), zone)
            for who in sorted(by_person, key=lambda who: names.get(who, "?"))
        ]
        tables.append(WeekTable(monday, [(day, day in open_on) for day in dates], rows))
    return tables


def _row(
    who: UUID,
    name: str,
    duties: list[ProposedDuty],
    dates: list[date],
    times: working_times.Times | None,
    zone: ZoneInfo,
) -> PersonRow:
    minutes = sum((one.until_at - one.from_at).total_seconds() / 60 for one in duties)
    hours = _("%(hours)s h", hours=number_words(minutes / 60))
    if times is not None:
        hours = _(
            "%(hours)s of %(most)s h",
            hours=number_words(minutes / 60),
            most=number_words(times.minutes / 60),
        )
    cells = [
        [_cell(one, name, zone) for one in duties if one.from_at.astimezone(zone).date() == day]
        for day in dates
    ]
    return PersonRow(
        who, name, hours, cells, any(one.state == DutyState.PROPOSED for one in duties)
    )


def _cell(one: ProposedDuty, name: str, zone: ZoneInfo) -> Cell:
    words = _clock(one.from_at, one.until_at, zone)
    begin = one.from_at.astimezone(zone).date()
    label = f"{name}, {day_words(begin)} {words}"
    return Cell(one.id, words, one.state, label)


def _clock(begin: datetime, end: datetime, zone: ZoneInfo) -> str:
    last = end.astimezone(zone)
    until = "24:00" if last.time() == time() else f"{last:%H:%M}"
    return f"{begin.astimezone(zone):%H:%M}–{until}"


def left_by_day(
    uncovered: Iterable[Uncovered], names: dict[UUID, str], zone: ZoneInfo
) -> list[tuple[date, list[Left]]]:
    """Return what is not covered, in words, by day; what goes on over midnight is on each day."""
    by_day: dict[date, dict[tuple[str, tuple[str, ...]], list[str]]] = defaultdict(dict)
    for one in uncovered:
        what, why = _what(one), tuple(_why(one, names))
        for begin, end in _by_midnight(one.begins, one.ends, zone):
            key = _clock(begin, end, zone), why
            by_day[begin.astimezone(zone).date()].setdefault(key, []).append(what)
    return [
        (
            day,
            [
                Left(when, "; ".join(what), list(why))
                for (when, why), what in sorted(ones.items(), key=lambda one: one[0][0])
            ],
        )
        for day, ones in sorted(by_day.items())
    ]


def _by_midnight(begin: datetime, end: datetime, zone: ZoneInfo) -> Iterator[Span]:
    """Yield the parts of a span, day by day."""
    while begin < end:
        day = begin.astimezone(zone).date() + timedelta(days=1)
        until = min(first_instant(datetime.combine(day, time()), zone), end)
        yield begin, until
        begin = until


def _what(one: Uncovered) -> str:
    if one.writing:
        return _("%(number)s too few who can write", number=one.short)
    if one.line is None or one.language is None:
        return _("%(number)s too few", number=one.short)
    return _(
        "no counsellor for %(line)s, %(language)s",
        line=one.line,
        language=language_words(one.language),
    )


def _why(one: Uncovered, names: dict[UUID, str]) -> list[str]:
    people: dict[Bar, list[str]] = defaultdict(list)
    for who, bar in one.why:
        if who in names:
            people[bar].append(names[who])
    return [
        _(BAR_WORDS[bar], names=list_words(people[bar])) for bar in reversed(Bar) if people[bar]
    ]


async def proposed_blocks(work: Work, week: Week) -> dict[UUID, list[Block]]:
    """Return the stretches of the open proposal that stand in a week, by person."""
    row = await proposals.open_proposal(work)
    found: dict[UUID, list[Block]] = defaultdict(list)
    if row is None:
        return found
    names = {one.id: one.name for one in await changes.people_of_rota(work)}
    for one in await proposals.duties_of(work, row):
        if one.state != DutyState.PROPOSED or one.counsellor_id not in names:
            continue
        times = _clock(one.from_at, one.until_at, week.zone)
        block = block_in(
            week,
            "proposed",
            (one.from_at, one.until_at),
            title=_("Proposed: %(name)s, %(times)s", name=names[one.counsellor_id], times=times),
            href="/roster/proposal",
        )
        if block is not None:
            found[one.counsellor_id].append(block)
    return found
