"""Sections of reports: a title, a table, and in some a chart beside it."""

from dataclasses import dataclass, field, replace
from typing import Any

from app.statistics.counting import due_callbacks
from app.statistics.counting.counsellors import AllCounsellors
from app.statistics.counting.labels import CELL, OVERLAP, TOTAL, plain
from app.statistics.counting.period_words import period_words
from app.statistics.counting.reconcile import reconcile
from app.statistics.counting.referral_figures import ReferralsBy
from app.statistics.counting.summary import Row, Summary, zones_of
from app.statistics.dimensions import Dimension
from app.statistics.measures import IDENTITY, MEASURES, NAMES, definition
from app.statistics.periods import WEEKDAYS, Window
from app.statistics.protection import guarded_referrals
from app.statistics.protection.guard import on_grid
from app.statistics.reports import charts
from app.statistics.reports.charts import Chart
from app.statistics.sums import OUTCOMES
from app.words.pages import N_, _, number_words, said, share_words, weekday_name
from app.work import Work

# Key figures of the monthly and the daily report, in their order.
KEY_FIGURES = (
    "calls",
    "offered",
    "answered",
    "abandoned",
    "abandoned_in_greeting",
    "short_abandons",
    "abandoned_in_queue",
    "abandoned_unstaffed",
    "abandonment",
    "service_level",
    "asa",
    "mean_wait",
    "wait_median",
    "wait_p90",
    "longest_wait",
    "second_waits",
    "second_wait",
    "time_to_abandon",
    "first_word",
    "first_word_median",
    "first_word_p90",
    "answered_later",
    "first_answer",
    "first_answer_median",
    "aht",
    "talk",
    "hold",
    "wrap_up",
    "rona",
    "transfers",
    "outside",
    "inherited",
    "returned",
    "voice_messages",
    "messages_left",
    "callbacks_requested",
    "put_off",
    "transferred_out",
    "turned_away",
    "out_of_hours",
    "no_counsellor",
    "blocked",
    "failed",
    "lost",
    "unreachable",
    "not_ended",
    "outbound",
    "outbound_reached",
    "aht_outbound",
    "aht_all",
    "danger_calls",
    "repeat_calls",
    "contacts",
    "contacts_completed",
    "non_counselling",
    "urgent_contacts",
)
# The figures that a report opens with.
HEADLINES = ("calls", "answered", "abandonment", "service_level", "contacts_completed")
BY_HOUR = ("calls", "offered", "answered", "abandoned", "service_level", "asa", "longest_wait")
# The measures of the calls behind each headline; empty: all calls.
_OPENS: dict[str, tuple[str, ...]] = {
    "calls": (),
    "answered": ("answered",),
    "abandonment": ("abandoned_in_greeting", "short_abandons", "abandoned_in_queue"),
}
_MOST_BARS = 16
# Headings of the tables of referrals and of counsellors, in their order.
REFERRAL_COLUMNS = (
    N_("opened"),
    N_("acknowledged"),
    N_("to acknowledge: median"),
    N_("9 in 10"),
    N_("to see the child: median"),
    N_("9 in 10"),
    N_("breaches"),
    N_("completed"),
    N_("risk of separation"),
    N_("prevented"),
    N_("separated"),
)
ROOM_COLUMNS = (
    N_("signed in"),
    N_("available"),
    N_("handling"),
    N_("occupancy"),
    N_("utilisation"),
    N_("offers"),
    N_("answered"),
    N_("missed"),
    N_("declined"),
    N_("RONA"),
    N_("contacts"),
    N_("contacts an hour"),
    N_("on the rota"),
    N_("adherence"),
)


@dataclass(frozen=True)
class Grid:
    """A table of texts; the first column names the row."""

    columns: list[str]
    rows: list[list[str]]
    # Lines below the table: coverage, what is counted more than once.
    foot: list[str] = field(default_factory=list)
    # By row number, the outcomes of the calls that the row counts: the page can list those calls.
    opens: dict[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    title: str
    words: str = ""
    chart: Chart | None = None
    grid: Grid | None = None


def named(section: Section, more: str) -> Section:
    """Return the section with an addition to its title, as when it counts more than the rest."""
    return replace(section, title=section.title + more)


def title_of(name: str) -> str:
    """Return the title of a measure in the reader's language."""
    return said(definition(name).title)


def show(name: str, value: float | int | None) -> str:
    """Return a figure as people read it."""
    if value is None:
        return "–"
    unit = definition(name).unit if name in NAMES else "calls"
    if unit == "share":
        return share_words(value)
    if unit == "seconds":
        return duration(value)
    if unit == "messages":
        return number_words(value, "0.0")
    return number_words(int(value))


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 120:
        whole = seconds >= 10 or seconds == int(seconds)
        return _("%(seconds)s s", seconds=number_words(seconds, "0" if whole else "0.0"))
    if seconds < 7200:
        return _("%(seconds)s min", seconds=number_words(seconds / 60, "0.0"))
    if seconds < 172_800:
        return _("%(seconds)s h", seconds=number_words(seconds / 3600, "0.0"))
    return _("%(days)s d", days=number_words(seconds / 86_400, "0.0"))


def with_base(name: str, summary: Summary) -> str:
    """Return a figure of a whole window; a share with the two counts that it is made of."""
    value = summary.figure(name)
    counts = MEASURES[name].counts if name in MEASURES else None
    if counts is None or value is None:
        return show(name, value)
    above, below = counts(summary.total.sums)
    return _(
        "%(share)s (%(above)s of %(below)s)", share=show(name, value), above=above, below=below
    )


def headline_section(now: Summary, before: Summary, year: Summary) -> Section:
    """Return five figures, their change since the period and the year before, and a sentence."""
    rows = []
    for name in HEADLINES:
        values = [one.figure(name) for one in (now, before, year)]
        rows.append(
            [
                title_of(name),
                with_base(name, now),
                change(name, values[0], values[1]),
                change(name, values[0], values[2]),
            ]
        )
    opens: dict[int, tuple[str, ...]] = {}
    for n, name in enumerate(HEADLINES):
        if name in _OPENS:
            opens[n] = tuple(o for o, measure in OUTCOMES.items() if measure in _OPENS[name])
    columns = ["", _("now"), _("against the period before"), _("against the year before")]
    return Section(_("At a glance"), _sentence(now, before), grid=Grid(columns, rows, opens=opens))


def change(name: str, now: float | None, then: float | None) -> str:
    """Return how a figure has changed: a share in points, any other in percent of what it was."""
    if now is None or then is None:
        return "–"
    if definition(name).unit == "share":
        return _("%(points)s points", points=number_words((now - then) * 100, "+0.0;-0.0"))
    if not then:
        return "–" if not now else f"+{now:.0f}"
    return number_words((now - then) / then * 100, "+0.0;-0.0") + "%"


def _sentence(now: Summary, before: Summary) -> str:
    s = now.total.sums
    if not s["calls"]:
        return _("No call arrived in this period.")
    parts = [
        _(
            "Of %(calls)s calls that arrived, %(reached)s were answered, %(gone)s were abandoned "
            "and %(away)s were turned away because no counsellor was there.",
            calls=s["calls"],
            reached=s["answered"],
            gone=now.figure("abandoned"),
            away=s["turned_away"],
        )
    ]
    if alone := s["abandoned_unstaffed"]:
        parts.append(_("Abandoned with no counsellor there: %(number)s.", number=alone))
    if then := before.total.sums["calls"]:
        parts.append(_("Calls in the period before: %(number)s.", number=then))
    return " ".join(parts)


def identity_section(summary: Summary, practice: int) -> Section:
    """Return where every call went; the rows add up to the calls that arrived."""
    sums = summary.total.sums
    rows = [[title_of(name), str(sums[name])] for name in IDENTITY]
    rows.append([_("Practice (in no other figure)"), str(practice)])
    arrived = sums["calls"] + practice
    parts = sum(sums[name] for name in IDENTITY) + practice
    rows.append([_("Arrived"), str(arrived)])
    opens = {
        n: tuple(o for o, measure in OUTCOMES.items() if measure == name)
        for n, name in enumerate(IDENTITY)
    }
    words = _("Each call is in exactly one of these rows.")
    if parts != arrived:
        more = _(
            "Calls in none of them: %(number)s. Tell the administrator.", number=arrived - parts
        )
        words = f"{words} {more}"
    return Section(
        _("Where every call went"), words, grid=Grid(["", _("calls")], rows, opens=opens)
    )


def trend_section(summary: Summary, title: str) -> Section:
    """Return the headline figures over months or years, the oldest first."""
    totals = [row for row in summary.rows if row.kind == TOTAL]
    when = {row.period: _when(summary, row.period) for row in totals}
    rows = [
        [when[row.period], *(show(name, summary.figures(row)[name]) for name in HEADLINES)]
        for row in totals
    ]
    parts = [
        (when[row.period], float(summary.figures(row)[name] or 0), title_of(name).lower())
        for name in ("answered", "abandoned", "turned_away")
        for row in totals
    ]
    words = _("%(title)s: calls answered, abandoned and turned away.", title=title)
    chart = charts.columns(parts, _("calls"), "", words) if len(totals) > 1 else None
    return Section(title, chart=chart, grid=Grid(["", *titles(HEADLINES)], rows))


def key_section(summary: Summary, before: Summary | None) -> Section:
    columns = ["", _("now"), *([_("the period before")] if before is not None else [])]
    whole = [one for one in (summary, before) if one is not None]
    rows = [[title_of(name), *(with_base(name, one) for one in whole)] for name in KEY_FIGURES]
    return Section(_("Key figures"), grid=Grid(columns, rows))


def _when(summary: Summary, period: str) -> str:
    """Return a period as a table shows it: for an hour, the time of day with its offset."""
    if "T" in period or summary.asked.period is None:
        return period[11:]
    return period_words(summary.asked.period, period)


def by_period(summary: Summary, names: tuple[str, ...], title: str, chart: Chart | None) -> Section:
    totals = [row for row in summary.rows if row.kind == TOTAL]
    rows = [
        [_when(summary, row.period), *(show(name, summary.figures(row)[name]) for name in names)]
        for row in totals
    ]
    return Section(title, chart=chart, grid=Grid(["", *titles(names)], rows))


def titles(names: tuple[str, ...]) -> list[str]:
    return [title_of(name) for name in names]


def heat(summary: Summary) -> Section:
    counts = {r.period: summary.figures(r)["calls"] or 0 for r in summary.rows if r.kind == TOTAL}
    whole = {key: int(value) for key, value in counts.items()}
    rows = []
    names = {day: weekday_name(number) for number, day in enumerate(WEEKDAYS)}
    for day, name in names.items():
        numbers = [whole.get(f"{day} {hour:02d}", 0) for hour in range(24)]
        rows.append([name, *(str(n) for n in numbers), str(sum(numbers))])
    grid = Grid(["", *(f"{hour:02d}" for hour in range(24)), _("all")], rows)
    busiest = max(whole, key=lambda key: whole[key], default="")
    most = whole.get(busiest, 0)
    day, _space, hour = busiest.partition(" ")
    words = _("Calls by weekday and hour: white is no call, and darker is more.")
    if busiest:
        words += " " + _(
            "The busiest hour is %(day)s %(hour)s:00, with %(calls)s.",
            day=names[day],
            hour=hour,
            calls=most,
        )
    title = _("Calls by hour and weekday")
    return Section(title, chart=charts.heat_map(whole, names, words), grid=grid)


# The upper limits of the classes of waits, in seconds, inclusive.
_CLASSES = (10, 20, 30, 60, 120, 180, 300, 600)


def waits(summary: Summary) -> Section:
    parts = []
    for name, of in (("answered", "wait_answered"), ("abandoned", "wait_abandoned")):
        waits = summary.total.waits.get(of)
        values = waits.tolist() if waits is not None else []
        parts.append((title_of(name).lower(), classed(values)))
    labels = [_("≤ %(seconds)s s", seconds=limit) for limit in _CLASSES]
    labels.append(_("> %(seconds)s s", seconds=_CLASSES[-1]))
    rows = [[label, *(str(counts[n]) for _name, counts in parts)] for n, label in enumerate(labels)]
    rows.append([_("all"), *(str(sum(counts)) for _name, counts in parts)])
    drawn = [
        (labels[n], float(counts[n]), name) for name, counts in parts for n in range(len(labels))
    ]
    words = _("Calls by how long they waited in the queue, answered and abandoned.")
    return Section(
        _("Waits"),
        chart=charts.columns(drawn, _("calls"), "", words),
        grid=Grid([_("waited"), *(name for name, _counts in parts)], rows),
    )


def classed(values: list[int]) -> list[int]:
    counts = [0] * (len(_CLASSES) + 1)
    for value in values:
        place = next((n for n, limit in enumerate(_CLASSES) if value <= limit), len(_CLASSES))
        counts[place] += 1
    return counts


def by_dimension(
    summary: Summary,
    title: str,
    names: tuple[str, ...],
    *,
    drawn: str | None = None,
    words: str = "",
) -> Section:
    """Return a table by one dimension, the greatest first, with the overlap and the total."""
    (dimension,) = summary.asked.by
    # A row in which nothing was counted is left out.
    cells = [
        row
        for row in summary.rows
        if row.kind == CELL and any(summary.figures(row)[name] for name in names)
    ]
    known = {code: n for n, code in enumerate(summary.orders.get(dimension, ()))}
    cells.sort(
        key=lambda row: (
            known.get(row.values[0], len(known)),
            -(summary.figures(row)[names[0]] or 0),
            row.values,
        )
    )
    rest = [row for row in summary.shown_rows if row.kind != CELL]
    whole = summary.figure(names[0])
    rows = [
        figures_row(summary, dimension, row, names, None if row.kind == OVERLAP else whole)
        for row in (*cells, *rest)
    ]
    chart = None
    if drawn is not None:
        values = [
            (summary.label(dimension, row.values[0])[:60], float(summary.figures(row)[drawn] or 0))
            for row in cells
            if row.values[0] not in ("-",) and summary.figures(row)[drawn]
        ][:_MOST_BARS]
        if values:
            chart = charts.bars(
                values, title_of(drawn).lower(), f"{title}: {words or title_of(drawn).lower()}"
            )
    first, *others = titles(names)
    columns = ["", first, _("share of all %(unit)s", unit=said(definition(names[0]).unit)), *others]
    return Section(title, words, chart, Grid(columns, rows))


def figures_row(
    summary: Summary,
    dimension: Dimension,
    row: Row,
    names: tuple[str, ...],
    whole: float | None = None,
) -> list[str]:
    """Return a row; beside its first figure stands that figure's share of the whole."""
    found = summary.figures(row)
    first, *others = (show(name, found[name]) for name in names)
    share = share_words((found[names[0]] or 0) / whole) if whole else "–"
    return [summary.label(dimension, row.values[0]), first, share, *others]


def reconciled(summary: Summary) -> Section:
    rows = [
        [said(line.words), str(line.number)]
        for line in reconcile(summary.total.sums, summary.recorded)
    ]
    return Section(
        _("Calls and contacts"), _("Why the two numbers differ."), grid=Grid(["", ""], rows)
    )


async def referral_sections(work: Work, window: Window) -> list[Section]:
    """Return referrals by sector, urgency and outcome; none unless the window is whole months."""
    if not on_grid(window, None, work.now):
        return []
    sections = []
    for by, title in (
        (ReferralsBy.SECTOR, N_("Referrals by sector")),
        (ReferralsBy.URGENCY, N_("Referrals by urgency")),
        (ReferralsBy.OUTCOME, N_("Referrals by outcome")),
    ):
        _heading, found, total = await guarded_referrals.by_thing(work, window, by)
        columns = [said(name) for name in REFERRAL_COLUMNS]
        rows = [[plain(one.value), *referral_numbers(one.numbers)] for one in (*found, total)]
        drawn = [
            (plain(one.value), round(one.numbers["median_seconds_to_acknowledge"] / 60, 1))
            for one in found
            if one.numbers["median_seconds_to_acknowledge"] is not None
        ]
        chart = None
        if by is ReferralsBy.SECTOR and drawn:
            words = _("Median minutes from the opening to the acknowledgement, by sector.")
            chart = charts.bars(drawn, _("minutes to acknowledge, median"), words)
        sections.append(Section(said(title), chart=chart, grid=Grid(["", *columns], rows)))
    return sections


def referral_numbers(numbers: dict[str, Any]) -> list[str]:
    return [
        duration(value) if "seconds" in name else str(value)
        for name, value in numbers.items()
        if name != "seen"
    ]


async def due_callback_section(work: Work, window: Window) -> Section:
    """Return the call-backs that were due, and whether they were made in time."""
    zones = await zones_of(work)
    found = await due_callbacks.due_callbacks(work, window, zones.country)
    rows = [[said(words), str(found.numbers[name])] for name, words in due_callbacks.WORDS.items()]
    return Section(_("Call-backs due"), grid=Grid(["", ""], rows))


def room_section(found: AllCounsellors) -> Section:
    rows = []
    for one in (*found.counsellors, found.all):
        n = one.figures()
        rows.append(
            [
                one.name if one is not found.all else said(one.name),
                duration(n["signed_in"]),
                duration(n["available"]),
                duration(n["handling"]),
                show("rona", n["occupancy"]),
                show("rona", n["utilisation"]),
                str(one.offers),
                str(one.answered),
                str(one.missed),
                str(one.declined),
                show("rona", n["rona"]),
                str(one.contacts),
                "–"
                if n["contacts_per_hour"] is None
                else number_words(n["contacts_per_hour"], "0.0"),
                duration(n["rostered"]),
                show("rona", n["adherence"]),
            ]
        )
    columns = ["", *(said(name) for name in ROOM_COLUMNS)]
    fair = number_words(found.fairness, "0.###") if found.fairness is not None else "–"
    foot = [_("Fairness %(fairness)s.", fairness=fair)]
    foot += [
        _("Coverage of %(line)s: %(share)s.", line=line, share=share_words(share))
        for line, share in found.coverage.items()
    ]
    return Section(_("Counsellors"), grid=Grid(columns, rows, foot))
