"""Reports: ready shapes of numbers, the same on a page and on paper.

Each figure stands with its definition, each chart beside its table, and the report says as of
when it was counted. A shape that a country adds as a file is a report like the others.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from app.contacts.trees import label_in
from app.errors import NotFound
from app.referrals import accountability
from app.statistics import charts, measures, referral_figures
from app.statistics.charts import Chart
from app.statistics.counsellors import Room, room
from app.statistics.days import reading
from app.statistics.dimensions import Dimension
from app.statistics.filling import fill
from app.statistics.measures import MEASURES, NAMES, definition
from app.statistics.periods import BadWindow, Period, Window, last_whole, whole_period
from app.statistics.reconcile import reconcile
from app.statistics.shapes import CountedTable, Shape, shapes_in
from app.statistics.summary import (
    TOTAL,
    Asked,
    Row,
    Summary,
    figures,
    labeller,
    plain,
    summarise,
    today,
    zones_of,
)
from app.work import Work

# Key figures of the monthly and the daily report, in their order.
_KEY = (
    "calls", "offered", "answered", "abandoned", "abandoned_in_greeting", "short_abandons",
    "abandoned_in_queue", "abandonment", "service_level", "asa", "wait_median", "wait_p90",
    "longest_wait", "time_to_abandon", "aht", "talk", "hold", "wrap_up", "rona", "transfers",
    "returned", "voice_messages", "callbacks_requested", "out_of_hours", "no_counsellor", "lost",
    "danger_calls", "repeat_calls", "contacts", "contacts_completed", "non_counselling",
    "urgent_contacts",
)  # fmt: skip
_BY_HOUR = ("calls", "offered", "answered", "abandoned", "service_level", "asa", "longest_wait")
_MOST_BARS = 20


@dataclass(frozen=True)
class Grid:
    """A table in words; the first column names the row."""

    columns: list[str]
    rows: list[list[str]]
    # What stands below: sums, what is counted more than once.
    foot: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    title: str
    words: str = ""
    chart: Chart | None = None
    grid: Grid | None = None


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
    """A report that can be asked for, and how long its usual period is."""

    name: str
    title: str
    period: Period
    make: Callable[[Work, Window, str | None], Awaitable[Report]]
    # Numbers of single counsellors are in it.
    staff: bool = False


def show(name: str, value: float | int | None) -> str:
    """A figure as people read it."""
    if value is None:
        return "–"
    unit = definition(name).unit if name in NAMES else "calls"
    if unit == "share":
        return f"{value:.1%}"
    if unit == "seconds":
        return duration(value)
    return f"{int(value):,}".replace(",", "\u202f")


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 120:
        return (
            f"{seconds:.0f} s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:.1f} s"
        )
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} d"


def kinds(work: Work) -> dict[str, Kind]:
    """All reports: the house's own and those of the shape files."""
    found = {
        "daily": Kind("daily", "Daily room report", Period.DAY, _daily, staff=True),
        "monthly": Kind("monthly", "Monthly report", Period.MONTH, _monthly),
        "agencies": Kind("agencies", "How agencies answer", Period.MONTH, _agencies),
    }
    for shape in shapes_in(work.settings.definitions_dir).values():
        found[shape.report] = Kind(
            shape.report, label_in(shape.title, "en"), Period(shape.period), _of_shape(shape)
        )
    return found


def kind_of(work: Work, name: str) -> Kind:
    """Raises NotFound."""
    found = kinds(work).get(name)
    if found is None:
        raise NotFound("There is no such report.")
    return found


def window_of(work: Work, kind: Kind, day: str | None) -> Window:
    """The period in which a day lies; without one, the newest that is over. Raises NotFound."""
    if not day:
        return last_whole(kind.period, today(work))
    try:
        return whole_period(kind.period, date.fromisoformat(day))
    except (ValueError, OverflowError, BadWindow):
        raise NotFound("There is no such day.") from None


def _notes(work: Work, window: Window, line: str | None) -> list[str]:
    last = window.ends - timedelta(days=1) if isinstance(window.ends, date) else window.ends
    found = [
        f"{window.begins} to {last}, in each line's own time zone; as of "
        f"{work.now.astimezone(UTC):%Y-%m-%d %H:%M} UTC. What is written later changes these "
        "numbers; practice lines are not counted.",
        f"Answered in time: within {work.settings.service_level_seconds} seconds; short abandon: "
        f"sooner than {work.settings.short_abandon_seconds} seconds.",
    ]
    return [*found, f"Line {line} only."] if line else found


def _defined(names: Any) -> list[tuple[str, str]]:
    return [(definition(name).title.removeprefix("… "), definition(name).words) for name in names]


def _asked(work: Work, window: Window, line: str | None, **more: Any) -> Asked:
    return Asked(window, line=line, target=work.settings.service_level_seconds, **more)


# -- parts -------------------------------------------------------------------------------------


def _key_section(summary: Summary, before: Summary | None) -> Section:
    now = figures(_KEY, summary.total)
    then = figures(_KEY, before.total) if before is not None else {}
    columns = ["", "now", *(["the period before"] if before is not None else [])]
    rows = [
        [definition(name).title, show(name, now[name]), *([show(name, then[name])] if then else [])]
        for name in _KEY
    ]
    return Section("Key figures", grid=Grid(columns, rows))


def _by_period(
    summary: Summary, names: tuple[str, ...], title: str, chart: Chart | None
) -> Section:
    totals = [row for row in summary.rows if row.kind == TOTAL]
    rows = [
        [row.period, *(show(name, summary.figures(row)[name]) for name in names)] for row in totals
    ]
    return Section(title, chart=chart, grid=Grid(["", *_titles(names)], rows))


def _titles(names: tuple[str, ...]) -> list[str]:
    return [definition(name).title.removeprefix("… ") for name in names]


def _heat(summary: Summary) -> Section:
    counts = {r.period: summary.figures(r)["calls"] or 0 for r in summary.rows if r.kind == TOTAL}
    whole = {key: int(value) for key, value in counts.items()}
    rows = []
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"):
        numbers = [whole.get(f"{day} {hour:02d}", 0) for hour in range(24)]
        rows.append([day, *(str(n) for n in numbers), str(sum(numbers))])
    grid = Grid(["", *(f"{hour:02d}" for hour in range(24)), "all"], rows)
    busiest = max(whole, key=lambda key: whole[key], default="")
    most = whole.get(busiest, 0)
    words = f"Calls by weekday and hour; the busiest is {busiest} o'clock, with {most}."
    return Section("Calls by hour and weekday", chart=charts.heat_map(whole, words), grid=grid)


# Classes of waits, in seconds: up to and with each.
_CLASSES = (10, 20, 30, 60, 120, 180, 300, 600)


def _waits(summary: Summary) -> Section:
    parts = []
    for name, of in (("answered", "wait_answered"), ("abandoned", "wait_abandoned")):
        waits = summary.total.waits.get(of)
        values = waits.tolist() if waits is not None else []
        parts.append((name, _classed(values)))
    labels = [*(f"≤ {limit} s" for limit in _CLASSES), f"> {_CLASSES[-1]} s"]
    rows = [[label, *(str(counts[n]) for _, counts in parts)] for n, label in enumerate(labels)]
    rows.append(["all", *(str(sum(counts)) for _, counts in parts)])
    drawn = [
        (labels[n], float(counts[n]), name) for name, counts in parts for n in range(len(labels))
    ]
    words = "Calls by how long they waited in the queue, answered and abandoned."
    return Section(
        "Waits",
        chart=charts.columns(drawn, "calls", "", words),
        grid=Grid(["waited", *(name for name, _ in parts)], rows),
    )


def _classed(values: list[int]) -> list[int]:
    counts = [0] * (len(_CLASSES) + 1)
    for value in values:
        place = next((n for n, limit in enumerate(_CLASSES) if value <= limit), len(_CLASSES))
        counts[place] += 1
    return counts


def _by_dimension(
    summary: Summary, title: str, names: tuple[str, ...], *, drawn: str | None = None,
    words: str = "",
) -> Section:  # fmt: skip
    """A table by one dimension, the greatest first; what is counted twice, and the total."""
    (dimension,) = summary.asked.by
    cells = [row for row in summary.rows if row.kind == "cell"]
    cells.sort(key=lambda row: (-(summary.figures(row)[names[0]] or 0), row.values))
    rest = [row for row in summary.rows if row.kind != "cell"]
    rows = [_figures_row(summary, dimension, row, names) for row in (*cells, *rest)]
    chart = None
    if drawn is not None:
        values = [
            (summary.label(dimension, row.values[0])[:60], float(summary.figures(row)[drawn] or 0))
            for row in cells
            if row.values[0] not in ("-",) and summary.figures(row)[drawn]
        ][:_MOST_BARS]
        if values:
            chart = charts.bars(
                values, definition(drawn).title.lower(), f"{title}: {words or drawn}"
            )
    return Section(title, words, chart, Grid(["", *_titles(names)], rows))


def _figures_row(
    summary: Summary, dimension: Dimension, row: Row, names: tuple[str, ...]
) -> list[str]:
    found = summary.figures(row)
    return [summary.label(dimension, row.values[0]), *(show(name, found[name]) for name in names)]


def _reconciled(summary: Summary) -> Section:
    rows = [[line.words, str(line.number)] for line in reconcile(summary.total.sums)]
    return Section(
        "Calls and contacts", "Why they are not the same number.", grid=Grid(["", ""], rows)
    )


async def _referral_sections(work: Work, window: Window) -> list[Section]:
    zones = await zones_of(work)
    since, until = window.instants(zones.country)
    sections = []
    for by, title in (("sector", "Referrals by sector"), ("urgency", "Referrals by urgency"),
                      ("outcome", "Referrals by outcome")):  # fmt: skip
        found, total = await referral_figures.referral_figures(work, since, until, by)
        columns = ["opened", "acknowledged", "to acknowledge: median", "9 in 10",
                   "to see the child: median", "9 in 10", "breaches", "completed",
                   "risk of separation", "prevented", "separated"]  # fmt: skip
        rows = [[plain(one.value), *_referral_numbers(one.numbers)] for one in (*found, total)]
        drawn = [
            (plain(one.value), round(one.numbers["median_seconds_to_acknowledge"] / 60, 1))
            for one in found
            if one.numbers["median_seconds_to_acknowledge"] is not None
        ]
        chart = None
        if by == "sector" and drawn:
            words = "Median minutes from the opening to the acknowledgement, by sector."
            chart = charts.bars(drawn, "minutes to acknowledge, median", words)
        sections.append(Section(title, chart=chart, grid=Grid(["", *columns], rows)))
    return sections


def _referral_numbers(numbers: dict[str, Any]) -> list[str]:
    return [
        duration(value) if "seconds" in name else str(value)
        for name, value in numbers.items()
        if name != "seen"
    ]


def _room_section(found: Room) -> Section:
    rows = []
    for one in (*found.counsellors, found.all):
        n = one.figures()
        rows.append(
            [
                one.name, duration(n["signed_in"]), duration(n["available"]),
                duration(n["handling"]), show("rona", n["occupancy"]),
                show("rona", n["utilisation"]), str(one.offers), str(one.answered),
                str(one.missed), str(one.declined), show("rona", n["rona"]),
            ]
        )  # fmt: skip
    columns = ["", "signed in", "available", "handling", "occupancy", "utilisation", "offers",
               "answered", "missed", "declined", "RONA"]  # fmt: skip
    foot = [f"Fairness {found.fairness if found.fairness is not None else '–'}."]
    foot += [f"Coverage of {line}: {share:.1%}." for line, share in found.coverage.items()]
    return Section("Counsellors", grid=Grid(columns, rows, foot))


# -- the house's own ---------------------------------------------------------------------------


async def _daily(work: Work, window: Window, line: str | None) -> Report:
    hours = await summarise(work, _asked(work, window, line, period=Period.HOUR))
    outcomes = await summarise(work, _asked(work, window, line, by=(Dimension.OUTCOME,)))
    totals = [row for row in hours.rows if row.kind == TOTAL]
    drawn = [
        (row.period[11:13], float(hours.figures(row)[name] or 0), part)
        for name, part in (("answered", "answered"), ("abandoned", "abandoned"))
        for row in totals
    ]
    chart = charts.columns(drawn, "calls", "", "Answered and abandoned calls by hour.")
    found = await room(work, window)
    sections = [
        _key_section(hours, None),
        _by_period(hours, _BY_HOUR, "By hour", chart),
        _by_dimension(outcomes, "By outcome", ("calls",)),
        _room_section(found),
        *(await _referral_sections(work, window)),
        _reconciled(hours),
    ]
    more = [*measures.STAFF_MEASURES.items(), ("fairness", measures.FAIRNESS_WORDS),
            ("coverage", measures.COVERAGE_WORDS), *referral_figures.WORDS.items()]  # fmt: skip
    return Report(
        "daily", "Daily room report", window, work.now, _notes(work, window, line), sections,
        [*_defined(_KEY), *more],
    )  # fmt: skip


async def _monthly(work: Work, window: Window, line: str | None) -> Report:
    days = await summarise(work, _asked(work, window, line, period=Period.DAY))
    before = await summarise(work, _asked(work, _before(window), line))
    heat = await summarise(work, _asked(work, window, line, period=Period.WEEKDAY_HOUR))

    async def by(dimension: Dimension) -> Summary:
        return await summarise(work, _asked(work, window, line, by=(dimension,)))

    points = [
        (r.period[5:], days.figures(r)["service_level"]) for r in days.rows if r.kind == TOTAL
    ]
    level = charts.line(
        points, "service level", "Service level by day; the dashed line is the target.",
        share=True, target=0.8,
    )  # fmt: skip
    contact = ("contacts", "contacts_completed", "urgent_contacts")
    sections = [
        _key_section(days, before),
        _by_period(days, _BY_HOUR, "By day", level),
        _heat(heat),
        _waits(days),
        _by_dimension(await by(Dimension.OUTCOME), "Calls by outcome", ("calls",), drawn="calls"),
        _by_dimension(await by(Dimension.CHANNEL), "Contacts by channel", contact),
        _by_dimension(await by(Dimension.KIND), "Contacts by who was in contact", contact),
        _by_dimension(
            await by(Dimension.CATEGORY), "Contacts by what it was about", contact,
            drawn="contacts", words="a contact may be about several things",
        ),
        _by_dimension(
            await by(Dimension.AGE_BAND), "Contacts by age of the children", contact,
            words="a contact may be about several children",
        ),
        _by_dimension(await by(Dimension.SEX), "Contacts by gender of the children", contact),
        _by_dimension(await by(Dimension.PLACE), "Contacts by place", contact),
        *(await _referral_sections(work, window)),
        _reconciled(days),
    ]  # fmt: skip
    return Report(
        "monthly", "Monthly report", window, work.now, _notes(work, window, line), sections,
        [*_defined(_KEY), *referral_figures.WORDS.items()],
    )  # fmt: skip


def _before(window: Window) -> Window:
    assert isinstance(window.begins, date)
    return whole_period(Period.MONTH, window.begins - timedelta(days=1))


async def _agencies(work: Work, window: Window, line: str | None) -> Report:
    zones = await zones_of(work)
    since, until = window.instants(zones.country)
    found = await accountability.accountability(work, since, until)
    columns = ["", "sector", *(name.replace("_", " ") for name in accountability.DEFINITIONS)]
    rows = [
        [
            row.name, row.sector.replace("_", " "),
            *(
                duration(value) if "seconds" in name else str(value if value is not None else "–")
                for name, value in row.values.items()
            ),
        ]
        for row in found
    ]  # fmt: skip
    why = [
        [row.name, *(", ".join(f"{w.replace('_', ' ')} {n}" for w, n in words.items()) or "–"
                     for words in (row.rejections, row.outcomes))]
        for row in found
    ]  # fmt: skip
    sections = [
        Section("How agencies answer", grid=Grid(columns, rows)),
        Section("Why rejected, and outcomes", grid=Grid(["", "rejections", "outcomes"], why)),
        *(await _referral_sections(work, window)),
    ]
    return Report(
        "agencies", "How agencies answer", window, work.now, _notes(work, window, None), sections,
        [*accountability.DEFINITIONS.items(), *referral_figures.WORDS.items()],
    )  # fmt: skip


# -- shapes ------------------------------------------------------------------------------------


def _of_shape(shape: Shape) -> Callable[[Work, Window, str | None], Awaitable[Report]]:
    async def make(work: Work, window: Window, line: str | None) -> Report:
        zones = await zones_of(work)
        label = await labeller(work, zones)
        async with reading(work.ground, work.now) as look:
            counted = await fill(look, zones, shape, window, label, line)
        sections = [_shape_section(table) for table in counted.tables]
        if counted.coverage is not None:
            sections.append(_coverage_section(counted.coverage, label))
        if counted.checks:
            rows = [
                [
                    one.words,
                    str(one.whole),
                    str(one.parts),
                    "holds" if one.holds else "DOES NOT HOLD",
                ]
                for one in counted.checks
            ]
            sections.append(
                Section("Sums that have to hold", grid=Grid(["", "whole", "parts", ""], rows))
            )
        notes = [*_notes(work, window, line), f"Source of the form: {shape.source}."]
        words = [
            ("calls", MEASURES["calls"].words),
            ("contacts", MEASURES["contacts"].words),
            ("children", "children who were described in these contacts, each by itself"),
        ]
        return Report(shape.report, counted.title, window, work.now, notes, sections, words)

    return make


def _shape_section(table: CountedTable) -> Section:
    rows = []
    foot = []
    for row in table.rows:
        if row.not_recorded is not None:
            rows.append([row.label, "not recorded", *[""] * (len(table.columns) - 1)])
            foot.append(f"{row.label}: {row.not_recorded}.")
        else:
            rows.append([row.label, *(str(n) for n in row.numbers)])
    if not any(row.not_recorded for row in table.rows):
        rows.append([f"All {table.unit}", *(str(n) for n in table.total)])
    if table.overlapping:
        foot.append("One may be counted in several rows, so they add up to more than all.")
    return Section(table.title, grid=Grid(["", *table.columns], rows, foot))


def _holds(holds: bool) -> str:
    return "holds" if holds else "DOES NOT HOLD"


def _coverage_section(coverage: Any, label: Callable[[str, str], str]) -> Section:
    share = coverage.share
    rows = [["categories recorded", str(coverage.counted)]]
    rows.append(["of these, counted in the framework", "–" if share is None else f"{share:.1%}"])
    rows += [
        [f"counts as nothing: {label('category', code)}", str(n)]
        for code, n in sorted(coverage.unmapped.items(), key=lambda one: (-one[1], one[0]))
    ]
    return Section("Coverage of the mapping", grid=Grid(["", ""], rows))
