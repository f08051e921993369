"""Reports: prepared sets of figures, the same on a page and on paper.

Each figure is shown with its definition, each chart with its table, and the report says when it
was counted. A shape that a country adds as a file is a report like the others.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from app.definitions.trees import label_in
from app.errors import NotFound
from app.referrals import accountability
from app.statistics import measures
from app.statistics.counting import promises, referral_figures
from app.statistics.counting.counsellors import room
from app.statistics.counting.filling import fill
from app.statistics.counting.kept_targets import targets_of
from app.statistics.counting.labels import TOTAL, labeller
from app.statistics.counting.practice import practice_calls
from app.statistics.counting.shapes import Shape, shapes_in
from app.statistics.counting.summary import Asked, Summary, summarise, today, zones_of
from app.statistics.counting.targets import in_words
from app.statistics.dimensions import Dimension
from app.statistics.facts.days import reading
from app.statistics.facts.facts import read_questions
from app.statistics.measures import MEASURES, definition
from app.statistics.periods import (
    BadWindow,
    Period,
    Window,
    last_whole,
    read_window,
    whole_period,
)
from app.statistics.protection import guarded_referrals
from app.statistics.protection.guard import BASE, on_grid
from app.statistics.reports import charts
from app.statistics.reports import sections as part
from app.statistics.reports.sections import Grid, Section, duration
from app.work import Work


@dataclass
class Report:
    """A report that has been counted."""

    name: str
    title: str
    window: Window
    as_of: datetime
    notes: list[str]
    sections: list[Section]
    definitions: list[tuple[str, str]]


@dataclass(frozen=True)
class Kind:
    """A report that can be requested, and the kind of its usual period."""

    name: str
    title: str
    period: Period
    make: Callable[[Work, Window, str | None], Awaitable[Report]]
    # Whether it shows numbers of single counsellors.
    staff: bool = False


def kinds(work: Work) -> dict[str, Kind]:
    """Return all reports: the built-in ones and those of the shape files."""
    found = {
        "daily": Kind("daily", "Daily room report", Period.DAY, _daily, staff=True),
        "monthly": Kind("monthly", "Monthly report", Period.MONTH, _monthly),
        "agencies": Kind("agencies", "How agencies reply", Period.MONTH, _agencies),
    }
    for shape in shapes_in(work.settings.definitions_dir).values():
        found[shape.report] = Kind(
            shape.report,
            label_in(shape.title, "en"),
            Period(shape.period),
            _of_shape(shape),
            staff="counsellor" in shape.dimensions(),
        )
    return found


def kind_of(work: Work, name: str) -> Kind:
    """Return a report by its name. Raises NotFound."""
    found = kinds(work).get(name)
    if found is None:
        raise NotFound("There is no such report.")
    return found


def window_of(work: Work, kind: Kind, day: str | None) -> Window:
    """Return the period of a day; without a day, the newest that is over. Raises NotFound."""
    if not day:
        return last_whole(kind.period, today(work))
    try:
        chosen = read_window(day, (date.fromisoformat(day) + timedelta(days=1)).isoformat())
        assert isinstance(chosen.begins, date)
        return whole_period(kind.period, chosen.begins)
    except (ValueError, OverflowError, BadWindow):
        raise NotFound("There is no such day. Write it like 2026-03-01.") from None


async def _notes(work: Work, window: Window, line: str | None) -> list[str]:
    targets = await targets_of(work)
    found = [
        f"{window.days}, in each line's own time zone; as of "
        f"{work.now.astimezone(UTC):%Y-%m-%d %H:%M} UTC. Later entries change these "
        "numbers; practice lines are not counted.",
        f"Answered in time: within {in_words(targets)}; short abandon: "
        f"sooner than {work.settings.short_abandon_seconds} seconds.",
    ]
    if line:
        return [*found, f"Line {line} only."]
    if not await _in_one_zone(work):
        found.append(
            "The lines are in several time zones. Choose one line to see its hours in a chart."
        )
    return found


def _defined(names: Any) -> list[tuple[str, str]]:
    return [(definition(name).title, definition(name).words) for name in names]


async def _summary(
    work: Work, window: Window, line: str | None, *, reconciled: bool = False, **more: Any
) -> Summary:
    """Count a window, with the targets that were in force."""
    asked = Asked(window, line=line, targets=await targets_of(work), **more)
    return await summarise(work, asked, reconciled=reconciled)


# -- built-in reports --------------------------------------------------------------------------


async def _daily(work: Work, window: Window, line: str | None) -> Report:
    hours = await _summary(work, window, line, period=Period.HOUR, reconciled=True)
    outcomes = await _summary(work, window, line, by=(Dimension.OUTCOME,))
    totals = [row for row in hours.rows if row.kind == TOTAL]
    drawn = [
        (row.period[11:13], float(hours.figures(row)[name] or 0), part)
        for name, part in (("answered", "answered"), ("abandoned", "abandoned"))
        for row in totals
    ]
    # Hours of two zones are not the same hours, so they cannot share an axis.
    one_zone = line is not None or await _in_one_zone(work)
    words = "Answered and abandoned calls by hour."
    chart = charts.columns(drawn, "calls", "", words) if one_zone else None
    found = await room(work, window)
    all_lines = " (all lines)" if line else ""
    sections = [
        *await _opening(work, window, line, Period.DAY),
        part.key_section(hours, None),
        part.by_period(hours, part.BY_HOUR, "By hour", chart),
        part.by_dimension(outcomes, "By outcome", ("calls",)),
        part.by_dimension(
            await _summary(work, window, line, by=(Dimension.ENDED_BY,)),
            "By who ended the call",
            ("calls",),
        ),
        part.named(part.room_section(found), all_lines),
        part.named(await part.promise_section(work, window), all_lines),
        part.reconciled(hours),
    ]
    more = [
        *measures.STAFF_MEASURES.items(),
        ("fairness", measures.FAIRNESS_WORDS),
        ("coverage", measures.COVERAGE_WORDS),
        *promises.WORDS.items(),
    ]
    notes = await _notes(work, window, line)
    notes.append("Referrals are counted by whole months: see the monthly report.")
    return Report(
        "daily",
        "Daily room report",
        window,
        work.now,
        notes,
        sections,
        [*_defined(part.KEY_FIGURES), *more],
    )


# Further tables of contacts.
_MORE = (
    (Dimension.RELATIONSHIP, "relationship of the caller to the child"),
    (Dimension.ROLE, "profession of the professional who reports"),
    (Dimension.DISABILITY, "disability of the children"),
    (Dimension.LIVING, "living situation of the children"),
    (Dimension.URGENCY, "urgency"),
)


async def _monthly(work: Work, window: Window, line: str | None) -> Report:
    days = await _summary(work, window, line, period=Period.DAY, reconciled=True)
    before = await _summary(work, _before(window), line)
    heat = await _summary(work, window, line, period=Period.WEEKDAY_HOUR)

    async def by(dimension: Dimension) -> Summary:
        return await _summary(work, window, line, by=(dimension,))

    points = [
        (r.period[5:], days.figures(r)["service_level"]) for r in days.rows if r.kind == TOTAL
    ]
    level = charts.line(
        points,
        "service level",
        "Service level by day; the dashed line is the target.",
        share=True,
        target=read_questions(work.settings.definitions_dir).planning.target_share,
    )
    contact = ("contacts", "contacts_completed", "urgent_contacts")

    async def told() -> list[Section]:
        """Return what was said in contacts, once the month is over."""
        return [
            part.by_dimension(await by(Dimension.KIND), "Contacts by who made contact", contact),
            part.by_dimension(
                await by(Dimension.CATEGORY),
                "Contacts by topic",
                contact,
                drawn="contacts",
                words="a contact may have several topics",
            ),
            part.by_dimension(
                await by(Dimension.AGE_BAND),
                "Contacts by age of the children",
                contact,
                words="a contact may be about several children",
            ),
            part.by_dimension(
                await by(Dimension.SEX), "Contacts by gender of the children", contact
            ),
            part.by_dimension(await by(Dimension.PLACE), "Contacts by place", contact),
            *[
                part.by_dimension(await by(dimension), f"Contacts by {words}", contact)
                for dimension, words in _MORE
            ],
        ]

    all_lines = " (all lines)" if line else ""
    sections = [
        *await _opening(work, window, line, Period.MONTH),
        *await _trends(work, window, line),
        part.key_section(await _summary(work, window, line), before),
        part.by_period(days, part.BY_HOUR, "By day", level),
        *([part.heat(heat)] if line is not None or await _in_one_zone(work) else []),
        part.waits(days),
        part.by_dimension(
            await by(Dimension.OUTCOME), "Calls by outcome", ("calls",), drawn="calls"
        ),
        part.by_dimension(await by(Dimension.CHANNEL), "Contacts by channel", contact),
        *(await told() if on_grid(window, None, work.now) else []),
        part.named(await part.promise_section(work, window), all_lines),
        *(part.named(s, all_lines) for s in await part.referral_sections(work, window)),
        part.reconciled(days),
    ]
    return Report(
        "monthly",
        "Monthly report",
        window,
        work.now,
        await _notes(work, window, line),
        sections,
        [*_defined(part.KEY_FIGURES), *referral_figures.WORDS.items(), *promises.WORDS.items()],
    )


async def _opening(work: Work, window: Window, line: str | None, period: Period) -> list[Section]:
    """Return the opening of every report: five figures with their change, and where calls went."""
    names = (*part.HEADLINES, *measures.IDENTITY)
    now, before, year = [
        await _summary(work, one, line, measures=names)
        for one in (window, _before(window), _year_before(window, period))
    ]
    return [
        part.headline_section(now, before, year),
        part.identity_section(now, await practice_calls(work, window)),
    ]


# How many earlier months and years are shown beside the period.
_MONTHS, _YEARS = 12, 4


async def _trends(work: Work, window: Window, line: str | None) -> list[Section]:
    """Return the headlines over the last months, and over the last years."""
    ends = window.ends
    assert type(ends) is date
    last = ends - timedelta(days=1)
    month = last.year * 12 + last.month - 1 - _MONTHS
    found = []
    for period, begins, stop, title in (
        (Period.MONTH, date(month // 12, month % 12 + 1, 1), ends, "Trend by month"),
        (Period.YEAR, date(last.year - _YEARS, 1, 1), date(last.year + 1, 1, 1), "Trend by year"),
    ):
        names = (*part.HEADLINES, "abandoned", "turned_away")
        summary = await _summary(work, Window(begins, stop), line, period=period, measures=names)
        found.append(part.trend_section(summary, title))
    return found


async def _in_one_zone(work: Work) -> bool:
    """Return whether all lines are in one time zone."""
    zones = await zones_of(work)
    return len({zone.key for zone in zones.of_line.values()}) < 2


def _year_before(window: Window, period: Period) -> Window:
    """Return the same period of the year before; for weeks and days the one 52 weeks earlier, so
    that weekdays are compared with the same weekdays."""
    assert isinstance(window.begins, date)
    if period in (Period.MONTH, Period.QUARTER, Period.YEAR):
        return whole_period(period, window.begins.replace(year=window.begins.year - 1, day=1))
    weeks = timedelta(weeks=52)
    assert isinstance(window.ends, date)
    return Window(window.begins - weeks, window.ends - weeks)


def _before(window: Window) -> Window:
    """Return the period of the same kind before this one."""
    assert isinstance(window.begins, date)
    for period in (Period.DAY, Period.WEEK, Period.MONTH, Period.QUARTER, Period.YEAR):
        if whole_period(period, window.begins) == window:
            return whole_period(period, window.begins - timedelta(days=1))
    assert isinstance(window.ends, date)
    return Window(window.begins - (window.ends - window.begins), window.begins)


_ROUNDED = (
    f"Referrals are counted once their month is over, and rounded to multiples of {BASE}; times "
    f"are shown only for {2 * BASE} or more."
)


async def _agencies(work: Work, window: Window, line: str | None) -> Report:
    found: list[accountability.Row] = []
    if on_grid(window, None, work.now):
        _, found = await guarded_referrals.by_agency(work, window)
    columns = ["", "sector", *(name.replace("_", " ") for name in accountability.DEFINITIONS)]
    rows = [
        [
            row.name,
            row.sector.replace("_", " "),
            *(
                duration(value) if "seconds" in name else str(value if value is not None else "–")
                for name, value in row.values.items()
            ),
        ]
        for row in found
    ]
    why = [
        [
            row.name,
            *(
                ", ".join(f"{w.replace('_', ' ')} {n}" for w, n in words.items()) or "–"
                for words in (row.rejections, row.outcomes)
            ),
        ]
        for row in found
    ]
    all_lines = " (all lines)" if line else ""
    sections = [
        *await _opening(work, window, line, Period.MONTH),
        Section("How agencies reply", grid=Grid(columns, rows)),
        Section("Reasons for rejection, outcomes", grid=Grid(["", "rejections", "outcomes"], why)),
        *(part.named(s, all_lines) for s in await part.referral_sections(work, window)),
    ]
    return Report(
        "agencies",
        "How agencies reply",
        window,
        work.now,
        [*await _notes(work, window, None), _ROUNDED],
        sections,
        [*accountability.DEFINITIONS.items(), *referral_figures.WORDS.items()],
    )


# -- shapes ------------------------------------------------------------------------------------


def _of_shape(shape: Shape) -> Callable[[Work, Window, str | None], Awaitable[Report]]:
    async def make(work: Work, window: Window, line: str | None) -> Report:
        zones = await zones_of(work)
        label = await labeller(work, dict(zones.names))
        async with reading(work.ground, work.now) as look:
            counted = await fill(look, zones, shape, window, label, line)
        sections = [
            *await _opening(work, window, line, Period(shape.period)),
            *(await _trends(work, window, line) if shape.period not in ("day", "week") else []),
            *(part.shape_section(table) for table in counted.tables),
        ]
        if counted.coverage is not None:
            sections.append(part.coverage_section(counted.coverage, label))
        if counted.checks:
            rows = [
                [
                    one.words,
                    *one.numbers,
                    "holds" if one.holds else "DOES NOT HOLD",
                ]
                for one in counted.checks
            ]
            sections.append(
                Section("Sums that have to hold", grid=Grid(["", "whole", "parts", ""], rows))
            )
        notes = [*(await _notes(work, window, line)), f"Source of the form: {shape.source}."]
        if not on_grid(window, None, work.now):
            notes.append("What was said is counted up to the last whole month.")
        words = [
            ("calls", MEASURES["calls"].words),
            ("contacts", MEASURES["contacts"].words),
            ("children", "children described in these contacts, each child separately"),
        ]
        return Report(shape.report, counted.title, window, work.now, notes, sections, words)

    return make
