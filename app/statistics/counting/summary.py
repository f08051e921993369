"""A summary: any window, cut into periods, by up to two dimensions, with totals that add up.

Every table holds its cells, the totals, and for each total a row of what its cells count more than
once (only if a dimension gives a record several values). So cells + that row = total, and the total
is the calls and contacts of the window.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import select

from app.calls.lines.line_rows import Line
from app.contacts.registry import library_of
from app.definitions import in_force
from app.errors import Invalid, Message, why
from app.jobs.names import Task
from app.statistics import measures
from app.statistics.counting.labels import CELL, OVERLAP, TOTAL, labels_of, order_of, plain
from app.statistics.counting.tally import CORE, Group, Key, Records, Tally, nothing
from app.statistics.counting.targets import Targets, always
from app.statistics.dimensions import COLUMN, Dimension, Reader, reader_of
from app.statistics.facts.days import AT_ONCE, Reading, reading
from app.statistics.facts.questions import read_questions
from app.statistics.facts.recorded import recorded_contacts
from app.statistics.measures import MEASURES, NAMES, PERCENTILES
from app.statistics.periods import BadWindow, Cut, Period, Window, aligned, cut
from app.statistics.protection.guard import (
    CONTENT_MEASURES,
    KEY_OF,
    Rounding,
    check_grid,
    is_content,
    on_grid,
)
from app.statistics.sums import LISTS, SUMS
from app.words.pages import SOURCE
from app.work import Work

_TWENTY = always(20)
# The most cells in one table.
MOST_CELLS = 60_000


@dataclass(frozen=True)
class FiguresWanted:
    """A request for a summary."""

    window: Window
    period: Period | None = None
    by: tuple[Dimension, ...] = ()
    line: str | None = None
    measures: tuple[str, ...] = NAMES
    # The seconds within which a call is answered in time, and since when.
    targets: Targets = _TWENTY


@dataclass(frozen=True)
class Zones:
    """The zone of each line, and the country's own zone for what has no line."""

    country: ZoneInfo
    of_line: Mapping[str, ZoneInfo]
    names: Mapping[str, str]

    def cuts(
        self, window: Window, period: Period | None, only: str | None = None
    ) -> dict[str, Cut]:
        """Return how a window is cut for each line; "" is for everything else. Raises BadWindow."""
        if only is not None:
            zone = self.of_line[only]
            one = cut(period, *window.instants(zone), zone)
            return {"": one, only: one}
        by_zone = aligned(
            {
                zone: cut(period, *window.instants(zone), zone)
                for zone in dict.fromkeys([self.country, *self.of_line.values()])
            }
        )
        return {
            "": by_zone[self.country],
            **{number: by_zone[zone] for number, zone in self.of_line.items()},
        }

    def check(self, line: str | None) -> None:
        """Refuse an unknown line. Raises Invalid."""
        if line is not None and line not in self.of_line:
            known = list(self.of_line) or Message("none")
            raise Invalid(
                "There is no line %(line)s. Known lines: %(known)s.", line=line[:20], known=known
            )

    def widest(self, window: Window, only: Iterable[str] = ()) -> tuple[datetime, datetime]:
        """Return the earliest beginning and the latest end of the window in any zone."""
        zones = {self.of_line[n] for n in only if n in self.of_line} or {
            self.country,
            *self.of_line.values(),
        }
        edges = [window.instants(zone) for zone in zones]
        return min(since for since, _ in edges), max(until for _, until in edges)


@dataclass(frozen=True)
class Row:
    """A row of a summary: its period, its values, and the group that was counted."""

    period: str
    values: tuple[str, ...]
    kind: str
    group: Group


@dataclass
class Summary:
    """What was counted, and as of when."""

    asked: FiguresWanted
    as_of: datetime
    rows: list[Row]
    total: Group
    labels: dict[Dimension, dict[str, str]] = field(default_factory=dict)
    # The language of the labels; files are in English whatever their reader's language is.
    language: str = SOURCE
    # The order of the values of a dimension, if they are not sorted by size.
    orders: dict[Dimension, list[str]] = field(default_factory=dict)
    # Contacts in the record itself, if they were counted separately.
    recorded: int | None = None
    zone: str = ""

    # None: exact counts, for the program itself.
    rounding: Rounding | None = None

    def figures(
        self, row: Row, names: Iterable[str] | None = None
    ) -> dict[str, float | int | None]:
        """Return the measures of a row. The overlap row has counts only; what was said in contacts
        is rounded, and None off the grid (see `guard.py`).
        """
        names = self.asked.measures if names is None else tuple(names)
        found = figures(names, row.group, counts_only=row.kind == OVERLAP)
        if self.rounding is None:
            return found
        content = any(is_content(d) for d in self.asked.by)
        grid = on_grid(self.asked.window, self.asked.period, self.as_of)
        for name, value in found.items():
            if content:
                found[name] = self._of_cell(row, name, value)
            elif name in CONTENT_MEASURES:
                found[name] = self._of_cell(row, name, value) if grid else None
        return found

    @property
    def shown_rows(self) -> list[Row]:
        """The rows to show. A cell that rounds to 0 is left out, because its presence would show
        that it is not empty; so is the overlap row.
        """
        if self.rounding is None or not any(is_content(d) for d in self.asked.by):
            return self.rows
        return [
            row
            for row in self.rows
            if row.kind == TOTAL or (row.kind == CELL and any(self.figures(row).values()))
        ]

    def _of_cell(self, row: Row, name: str, value: float | int | None) -> float | int | None:
        assert self.rounding is not None
        if name not in KEY_OF or row.kind == OVERLAP:
            return None
        return self.rounding.rounded(int(value or 0), row.group.sums[KEY_OF[name]])

    def figure(self, name: str) -> float | int | None:
        """Return one measure of the whole window."""
        return self.figures(Row("", (TOTAL,) * len(self.asked.by), TOTAL, self.total), (name,))[
            name
        ]

    def label(self, dimension: Dimension, value: str) -> str:
        return self.labels.get(dimension, {}).get(value) or plain(value, self.language)


def figures(
    names: Iterable[str], group: Group, *, counts_only: bool = False
) -> dict[str, float | int | None]:
    """Return the measures of a group, as they are shown."""
    found: dict[str, float | int | None] = {}
    for name in names:
        if name in PERCENTILES:
            one = PERCENTILES[name]
            value = None if counts_only else group.percentile(one.of, one.share)
        elif counts_only and MEASURES[name].unit in measures.MEANS:
            value = None
        else:
            value = MEASURES[name].formula(group.sums)
        found[name] = measures.rounded(value)
    return found


async def zones_of(work: Work) -> Zones:
    """Return the zones of all lines, without an access check: a zone is not confidential."""
    rows = (
        await work.session.execute(select(Line.number, Line.timezone, Line.name, Line.practice))
    ).all()
    country = ZoneInfo(library_of(work.ground).country.timezone)
    lines = [row for row in rows if not row[3]]
    return Zones(
        country,
        {number: ZoneInfo(zone) for number, zone, _, _ in lines},
        {number: name for number, _, name, _ in lines},
    )


async def summarise(
    work: Work,
    asked: FiguresWanted,
    *,
    reconciled: bool = False,
    language: str = SOURCE,
) -> Summary:
    """Count a summary; `reconciled` also counts contacts in the record itself. The labels of
    values are in `language`.

    Raises Invalid, NotAllowed for a window that is off the grid.
    """
    check(asked)
    check_grid(asked.window, asked.period, asked.by, work.now)
    zones = await zones_of(work)
    zones.check(asked.line)
    await let_go(work)
    async with reading(work.ground, work.now) as look:
        summary = await count(look, zones, asked)
        summary.rounding = look.rounding
        if reconciled:
            summary.recorded = await recorded_contacts(
                look, asked.window, zones.country, zones.of_line, asked.line
            )
    if look.not_kept:
        work.defer(Task.KEEP_DAYS)
    await label(work, summary, zones, language)
    return summary


def check(asked: FiguresWanted) -> None:
    """Refuse what cannot be counted. Raises Invalid."""
    if len(asked.by) > 2 or len(set(asked.by)) != len(asked.by):
        raise Invalid("Give at most two different dimensions.")
    unknown = [name for name in asked.measures if name not in NAMES]
    if unknown:
        raise Invalid(
            "There is no measure '%(name)s'. Choose from: %(known)s.",
            name=unknown[0][:40],
            known=list(NAMES),
        )


async def let_go(work: Work) -> None:
    """Give this request's database connection back to the pool before a long count."""
    if work.opener is not None:
        await work.let_go()


async def count(look: Reading, zones: Zones, asked: FiguresWanted) -> Summary:
    """Count from one reading of the facts; the numbers are computed in threads."""
    try:
        cuts = zones.cuts(asked.window, asked.period, asked.line)
        since, until = zones.widest(asked.window, [asked.line] if asked.line else ())
    except BadWindow as error:
        raise Invalid(why(error)) from None
    words = look.words
    tree, places = look.library.categories, look.library.places
    readers = tuple(reader_of(d, words, tree, places, look.asked) for d in asked.by)
    with_waits = any(name in PERCENTILES for name in asked.measures)
    cells = Tally(readers, with_waits)
    totals = Tally((), with_waits) if readers else None
    names = dict.fromkeys([*CORE, *(COLUMN[d] for d in asked.by)])
    told = any(is_content(d) for d in asked.by) or (
        any(name in CONTENT_MEASURES for name in asked.measures)
        and on_grid(asked.window, asked.period, look.now)
    )
    rounding = look.rounding if told else None
    if rounding is not None:
        names["id"] = None
    # Percentiles are counted in fewer, larger blocks; sums alone in smaller ones, to save memory.
    at_once = 4 * AT_ONCE if with_waits else AT_ONCE
    async for block in look.blocks(since, until, names, at_once):
        if block.size:
            keys = None if rounding is None else rounding.keys(block.raw["id"])
            records = await asyncio.to_thread(
                Records, block, words, cuts, asked.line, asked.targets, keys
            )
            # Cells and totals are independent of each other, so they are counted side by side.
            await asyncio.gather(
                *(asyncio.to_thread(one.add, records) for one in (cells, totals) if one)
            )
    return await asyncio.to_thread(_finish, look, asked, cuts, readers, cells, totals)


def _finish(
    look: Reading,
    asked: FiguresWanted,
    cuts: dict[str, Cut],
    readers: tuple[Reader, ...],
    cells: Tally,
    totals: Tally | None,
) -> Summary:
    found = cells.groups()
    if len(found) > MOST_CELLS:
        raise Invalid(
            "That is more than %(most)s rows. Take longer periods or one dimension.",
            most=MOST_CELLS,
        )
    sums = totals.groups() if totals is not None else found
    labels = cuts[""].labels
    if asked.period is None:
        total = sums.get((0,)) or Group(nothing())
    else:
        total = _together(sums.values())
    rows = list(_rows(asked, readers, found, sums, labels))
    summary = Summary(asked, look.now, rows, total)
    summary.zone = look.library.country.timezone
    return summary


def _together(groups: Iterable[Group]) -> Group:
    """Return the sum of groups that share no record."""
    groups = list(groups)
    sums = nothing()
    for group in groups:
        for name in SUMS:
            sums[name] += group.sums[name]
    waits = {}
    for name in LISTS:
        parts = [g.waits[name] for g in groups if name in g.waits]
        if parts:
            waits[name] = np.sort(np.concatenate(parts))
    return Group(sums, waits)


def _rows(
    asked: FiguresWanted,
    readers: tuple[Reader, ...],
    cells: dict[Key, Group],
    sums: dict[Key, Group],
    labels: tuple[str, ...],
) -> Iterable[Row]:
    """Yield, period by period, the cells, what they count more than once, and the total."""
    by_period: dict[int, list[tuple[tuple[str, ...], Group]]] = {}
    value_words = [reader.values.list for reader in readers]
    for key, group in cells.items():
        values = tuple(value_words[n][code] for n, code in enumerate(key[1:]))
        by_period.setdefault(key[0], []).append((values, group))
    for period, words in enumerate(labels):
        total = sums.get((period,)) or Group(nothing())
        if readers:
            found = sorted(by_period.get(period, []), key=lambda one: one[0])
            for values, group in found:
                yield Row(words, values, CELL, group)
            more = _overlap(total, [group for _, group in found])
            if more is not None:
                yield Row(words, (OVERLAP,) * len(readers), OVERLAP, more)
        if asked.period is not None or not readers:
            yield Row(words, (TOTAL,) * len(readers), TOTAL, total)
    if readers and asked.period is None:
        total = sums.get((0,)) or Group(nothing())
        yield Row("", (TOTAL,) * len(readers), TOTAL, total)


def _overlap(total: Group, cells: list[Group]) -> Group | None:
    """Return what the cells count more than once: the total minus the sum of the cells."""
    sums = {name: total.sums[name] - sum(cell.sums[name] for cell in cells) for name in SUMS}
    return Group(sums) if any(sums.values()) else None


# -- words -------------------------------------------------------------------------------------


async def label(work: Work, summary: Summary, zones: Zones, language: str) -> None:
    """Add the labels and the order of its values to a summary."""
    summary.language = language
    for dimension in summary.asked.by:
        summary.labels[dimension] = await labels_of(work, dict(zones.names), dimension, language)
        asked = read_questions(in_force.folder_of(work.ground))
        if order := order_of(library_of(work.ground), asked, dimension):
            summary.orders[dimension] = order


def zone_of(work: Work) -> ZoneInfo:
    """Return the zone of the helpline."""
    return ZoneInfo(library_of(work.ground).country.timezone)


def today(work: Work) -> date:
    """Return the local day of the helpline."""
    return work.now.astimezone(zone_of(work)).date()
