"""Reports: prepared sets of figures, the same on a page and on paper.

Each figure is shown with its definition, each chart with its table, and the report says when it
was counted. A shape that a country adds as a file is a report like the others.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from app.definitions import in_force
from app.definitions.trees import label_in
from app.errors import NotFound
from app.referrals import accountability
from app.statistics import measures, staff_measures
from app.statistics.counting import at_once, due_callbacks, feedback, referral_figures
from app.statistics.counting.counsellors import room
from app.statistics.counting.kept_targets import short_abandons_of, targets_of
from app.statistics.counting.labels import TOTAL, labeller, target_words
from app.statistics.counting.period_words import days_of
from app.statistics.counting.practice import practice_calls
from app.statistics.counting.shape_figures import count_shape
from app.statistics.counting.shapes import Shape, shapes_in
from app.statistics.counting.summary import (
    FiguresWanted,
    Summary,
    summarise,
    today,
    zone_of,
    zones_of,
)
from app.statistics.dimensions import Dimension
from app.statistics.facts.days import reading
from app.statistics.measures import MEASURES, definition
from app.statistics.periods import (
    OF_MONTHS,
    BadWindow,
    Period,
    Window,
    last_whole,
    read_window,
    whole_period,
)
from app.statistics.planning.own_planning import planning_of
from app.statistics.protection import guarded_referrals
from app.statistics.protection.guard import BASE, last_over, on_grid
from app.statistics.reports import charts, shape_sections
from app.statistics.reports import sections as part
from app.statistics.reports import writing_sections as writing
from app.statistics.reports.sections import Grid, Section, duration
from app.words import days
from app.words.pages import N_, _, code_words, date_words, list_words, reader, said
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
class ReportKind:
    """A report that can be requested, and the kind of its usual period."""

    name: str
    title: str
    period: Period
    make: Callable[[Work, Window, str | None], Awaitable[Report]]
    # Whether it shows numbers of single counsellors.
    staff: bool = False
    # Whether it can be of whole months alone.
    only_of_months: bool = False


def kinds(work: Work) -> dict[str, ReportKind]:
    """Return all reports: the built-in ones and those of the shape files."""
    found = {
        "daily": ReportKind("daily", _("Daily room report"), Period.DAY, _daily, staff=True),
        "monthly": ReportKind("monthly", _("Monthly report"), Period.MONTH, _monthly),
        "agencies": ReportKind("agencies", _("How agencies reply"), Period.MONTH, _agencies),
        "feedback": ReportKind("feedback", _("What children thought"), Period.MONTH, _feedback),
    }
    for shape in shapes_in(in_force.folder_of(work.ground)).values():
        found[shape.report] = ReportKind(
            shape.report,
            label_in(shape.title, reader()),
            Period(shape.period),
            _of_shape(shape),
            staff="counsellor" in shape.dimensions(),
            only_of_months=shape.counts_what_was_said(),
        )
    return found


def kind_of(work: Work, name: str) -> ReportKind:
    """Return a report by its name. Raises NotFound."""
    found = kinds(work).get(name)
    if found is None:
        raise NotFound("There is no such report.")
    return found


def window_of(work: Work, kind: ReportKind, day: str | None) -> Window:
    """Return the period of a day; without a day, the newest that is over. Raises NotFound.

    A month is over once it is so in every time zone: before, what was said in it is not counted.
    """
    if not day and kind.period in OF_MONTHS:
        return last_over(work.now, kind.period)
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
        _(
            "%(days)s, in each line's own time zone; as of %(at)s. Later entries change these "
            "numbers; practice lines are not counted.",
            days=days_of(window),
            at=days.moment(work.now, reader(), zone_of(work), named=True),
        ),
        _(
            "Answered in time: within %(targets)s; short abandon: sooner than %(short)s.",
            targets=target_words(targets),
            short=target_words(await short_abandons_of(work)),
        ),
    ]
    if line:
        return [*found, _("Line %(line)s only.", line=line)]
    if not await _in_one_zone(work):
        found.append(
            _("The lines are in several time zones. Choose one line to see its hours in a chart.")
        )
    return found


def _defined(names: Any) -> list[tuple[str, str]]:
    return [(part.title_of(name), said(definition(name).words)) for name in names]


def _translated(definitions: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return names and definitions in the reader's language."""
    return [(code_words(name), said(words)) for name, words in definitions]


async def _summary(
    work: Work, window: Window, line: str | None, *, reconciled: bool = False, **more: Any
) -> Summary:
    """Count a window, with the targets that were in force."""
    asked = FiguresWanted(window, line=line, targets=await targets_of(work), **more)
    return await summarise(work, asked, reconciled=reconciled, language=reader())


# -- built-in reports --------------------------------------------------------------------------


async def _daily(work: Work, window: Window, line: str | None) -> Report:
    hours = await _summary(work, window, line, period=Period.HOUR, reconciled=True)
    outcomes = await _summary(work, window, line, by=(Dimension.OUTCOME,))
    totals = [row for row in hours.rows if row.kind == TOTAL]
    drawn = [
        (row.period[11:13], float(hours.figures(row)[name] or 0), part.title_of(name).lower())
        for name in ("answered", "abandoned")
        for row in totals
    ]
    # Hours of two zones are not the same hours, so they cannot share an axis.
    one_zone = line is not None or await _in_one_zone(work)
    words = _("Answered and abandoned calls by hour.")
    chart = charts.columns(drawn, _("calls"), "", words) if one_zone else None
    found = await room(work, window)
    all_lines = f" ({_('all lines')})" if line else ""
    sections = [
        *await _opening(work, window, line, Period.DAY),
        part.key_section(hours, None),
        part.by_period(hours, part.BY_HOUR, _("By hour"), chart),
        part.by_dimension(outcomes, _("By outcome"), ("calls",)),
        part.by_dimension(
            await _summary(work, window, line, by=(Dimension.ENDED_BY,)),
            _("By who ended the call"),
            ("calls",),
        ),
        part.named(part.room_section(found), all_lines),
        part.named(writing.load_of_room(found), all_lines),
        part.named(await part.due_callback_section(work, window), all_lines),
        part.reconciled(hours),
    ]
    more = [
        *staff_measures.STAFF_MEASURES.items(),
        *staff_measures.AT_ONCE.items(),
        ("fairness", staff_measures.FAIRNESS_WORDS),
        ("coverage", staff_measures.COVERAGE_WORDS),
        *due_callbacks.WORDS.items(),
    ]
    notes = await _notes(work, window, line)
    notes.append(_("Referrals are counted by whole months: see the monthly report."))
    return Report(
        "daily",
        _("Daily room report"),
        window,
        work.now,
        notes,
        sections,
        [*_defined(part.KEY_FIGURES), *_translated(more)],
    )


# Further tables of contacts.
_MORE = (
    (Dimension.RELATIONSHIP, N_("Contacts by relationship of the caller to the child")),
    (Dimension.ROLE, N_("Contacts by profession of the professional who reports")),
    (Dimension.DISABILITY, N_("Contacts by disability of the children")),
    (Dimension.LIVING, N_("Contacts by living situation of the children")),
    (Dimension.URGENCY, N_("Contacts by urgency")),
)


async def _monthly(work: Work, window: Window, line: str | None) -> Report:
    days = await _summary(work, window, line, period=Period.DAY, reconciled=True)
    before = await _summary(work, _before(window), line)
    heat = await _summary(work, window, line, period=Period.WEEKDAY_HOUR)
    channels = await _summary(work, window, line, by=(Dimension.CHANNEL,))
    points = [
        (
            date_words(date.fromisoformat(r.period), N_("dd MMM")),
            days.figures(r)["service_level"],
        )
        for r in days.rows
        if r.kind == TOTAL
    ]
    level = charts.line(
        points,
        part.title_of("service_level").lower(),
        _("Service level by day; the dashed line is the target."),
        share=True,
        target=planning_of(work.ground).target_share,
    )
    all_lines = f" ({_('all lines')})" if line else ""
    sections = [
        *await _opening(work, window, line, Period.MONTH),
        *await _trends(work, window, line),
        part.key_section(await _summary(work, window, line), before),
        part.by_period(days, part.BY_HOUR, _("By day"), level),
        *([part.heat(heat)] if line is not None or await _in_one_zone(work) else []),
        part.waits(days),
        part.by_dimension(
            await _summary(work, window, line, by=(Dimension.OUTCOME,)),
            _("Calls by outcome"),
            ("calls",),
            drawn="calls",
        ),
        part.by_dimension(channels, _("Contacts by channel"), _OF_CONTACTS),
        *writing.by_channel(channels),
        part.named(await _load_by_day(work, window), all_lines),
        *(await _told(work, window, line) if on_grid(window, None, work.now) else []),
        part.named(await part.due_callback_section(work, window), all_lines),
        *(part.named(s, all_lines) for s in await part.referral_sections(work, window)),
        part.reconciled(days),
    ]
    return Report(
        "monthly",
        _("Monthly report"),
        window,
        work.now,
        await _notes(work, window, line),
        sections,
        [
            *_defined(dict.fromkeys([*part.KEY_FIGURES, *writing.IN_WRITING])),
            *_translated(
                [
                    *staff_measures.AT_ONCE.items(),
                    *referral_figures.WORDS.items(),
                    *due_callbacks.WORDS.items(),
                ]
            ),
        ],
    )


async def _load_by_day(work: Work, window: Window) -> Section:
    zones = await zones_of(work)
    async with reading(work.ground, work.now) as look:
        found = await at_once.by_period(look, zones, window, Period.DAY)
    return writing.load_by_day(found, at_once.together([one for _day, one in found]))


_OF_CONTACTS = ("contacts", "contacts_completed", "urgent_contacts")


async def _told(work: Work, window: Window, line: str | None) -> list[Section]:
    """Return what was said in contacts; it is shown once the month is over."""

    async def by(dimension: Dimension, title: str, **options: str) -> Section:
        counted = await _summary(work, window, line, by=(dimension,))
        return part.by_dimension(counted, title, _OF_CONTACTS, **options)

    return [
        await by(Dimension.KIND, _("Contacts by who made contact")),
        await by(
            Dimension.CATEGORY,
            _("Contacts by topic"),
            drawn="contacts",
            words=_("a contact may have several topics"),
        ),
        await by(
            Dimension.AGE_BAND,
            _("Contacts by age of the children"),
            words=_("a contact may be about several children"),
        ),
        await by(Dimension.SEX, _("Contacts by gender of the children")),
        await by(Dimension.PLACE, _("Contacts by place")),
        *[await by(dimension, said(title)) for dimension, title in _MORE],
    ]


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
        (Period.MONTH, date(month // 12, month % 12 + 1, 1), ends, _("Trend by month")),
        (
            Period.YEAR,
            date(last.year - _YEARS, 1, 1),
            date(last.year + 1, 1, 1),
            _("Trend by year"),
        ),
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


_ROUNDED = N_(
    "Referrals are counted once their month is over, and rounded to multiples of %(base)s; times "
    "are shown only for %(least)s or more."
)


async def _agencies(work: Work, window: Window, line: str | None) -> Report:
    found: list[accountability.Row] = []
    if on_grid(window, None, work.now):
        _heading, found = await guarded_referrals.by_agency(work, window)
    columns = ["", _("sector"), *(code_words(name) for name in accountability.DEFINITIONS)]
    rows = [
        [
            row.name if row.agency != accountability.ALL else said(row.name),
            code_words(row.sector),
            *(
                duration(value) if "seconds" in name else str(value if value is not None else "–")
                for name, value in row.values.items()
            ),
        ]
        for row in found
    ]
    why = [
        [
            row.name if row.agency != accountability.ALL else said(row.name),
            *(
                list_words(f"{code_words(w)} {n}" for w, n in words.items()) or "–"
                for words in (row.rejections, row.outcomes)
            ),
        ]
        for row in found
    ]
    all_lines = f" ({_('all lines')})" if line else ""
    sections = [
        *await _opening(work, window, line, Period.MONTH),
        Section(_("How agencies reply"), grid=Grid(columns, rows)),
        Section(
            _("Reasons for rejection, outcomes"),
            grid=Grid(["", _("rejections"), _("outcomes")], why),
        ),
        *(part.named(s, all_lines) for s in await part.referral_sections(work, window)),
    ]
    return Report(
        "agencies",
        _("How agencies reply"),
        window,
        work.now,
        [*await _notes(work, window, None), _(_ROUNDED, base=BASE, least=2 * BASE)],
        sections,
        _translated([*accountability.DEFINITIONS.items(), *referral_figures.WORDS.items()]),
    )


async def _feedback(work: Work, window: Window, line: str | None) -> Report:
    """Return what children answered in the month, and in the months before it."""
    found: list[feedback.Answers] = []
    if on_grid(window, None, work.now):
        assert isinstance(window.ends, date)
        year = Window(window.ends.replace(year=window.ends.year - 1), window.ends)
        _counted, found = await feedback.feedback(work, year, line)
    return Report(
        "feedback",
        _("What children thought"),
        window,
        work.now,
        [*await _notes(work, window, line), _(_ANSWERS_ROUNDED, base=BASE)],
        [
            *await _opening(work, window, line, Period.MONTH),
            *(writing.feedback_section(question, found) for question in feedback.QUESTIONS),
        ],
        _translated(feedback.QUESTIONS.items()),
    )


_ANSWERS_ROUNDED = N_(
    "Answers are counted once their month is over, and rounded to multiples of %(base)s. No answer "
    "is linked to a conversation, and none is asked for after danger."
)


# -- shapes ------------------------------------------------------------------------------------


def _of_shape(shape: Shape) -> Callable[[Work, Window, str | None], Awaitable[Report]]:
    async def make(work: Work, window: Window, line: str | None) -> Report:
        zones = await zones_of(work)
        label = await labeller(work, dict(zones.names), reader())
        async with reading(work.ground, work.now) as look:
            counted = await count_shape(look, zones, shape, window, label, line, reader())
        sections = [
            *await _opening(work, window, line, Period(shape.period)),
            *(await _trends(work, window, line) if shape.period not in ("day", "week") else []),
            *(shape_sections.shape_section(table) for table in counted.tables),
        ]
        if counted.coverage is not None:
            sections.append(shape_sections.coverage_section(counted.coverage, label))
        if counted.checks:
            rows = [
                [
                    one.words,
                    *one.numbers,
                    _("holds") if one.holds else _("DOES NOT HOLD"),
                ]
                for one in counted.checks
            ]
            sections.append(
                Section(
                    _("Sums that have to hold"), grid=Grid(["", _("whole"), _("parts"), ""], rows)
                )
            )
        notes = [
            *(await _notes(work, window, line)),
            _("Source of the form: %(source)s.", source=said(shape.source)),
        ]
        if not on_grid(window, None, work.now):
            notes.append(_("What was said is counted up to the last whole month."))
        words = [
            ("calls", MEASURES["calls"].words),
            ("contacts", MEASURES["contacts"].words),
            ("children", N_("children described in these contacts, each child separately")),
        ]
        return Report(
            shape.report, counted.title, window, work.now, notes, sections, _translated(words)
        )

    return make
