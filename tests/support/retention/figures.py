"""Every report, file and release of the statistics, as a reader gets them: to compare two of them.

The statistics read with a connection of their own. In a test of verbs, which is rolled back, they
read with that of the test.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

import pytest

from app.contacts.registry import library_of
from app.definitions import in_force
from app.jobs.transaction import flush
from app.statistics.counting import counsellors, summary
from app.statistics.counting.labels import TOTAL
from app.statistics.counting.referral_figures import ReferralsBy
from app.statistics.counting.shapes import shapes_in
from app.statistics.counting.summary import FiguresWanted, Row, summarise
from app.statistics.dimensions import Dimension
from app.statistics.exports import at_once_table, exporting, shape_table
from app.statistics.exports.exporting import ExportWanted, made
from app.statistics.exports.files import WHAT, File
from app.statistics.facts.columns import Packed
from app.statistics.facts.days import Reading
from app.statistics.facts.questions import read_questions
from app.statistics.measures import NAMES
from app.statistics.periods import Period, Window, whole_period
from app.statistics.protection.guard import rounding_of
from app.statistics.published import release
from app.statistics.reports import reports
from app.work import Ground, Work
from tests.support.profile import WHOLE
from tests.support.recount import exactly

_READ_IN = (
    counsellors,
    summary,
    exporting,
    at_once_table,
    shape_table,
    release,
    reports,
    exactly,
)


_Counted = tuple[int, dict[str, Packed]]


@dataclass
class _SameMoment(Reading):
    """A reading that shares its counted days with others, between which no row changes."""

    counted: dict[tuple[date, tuple[str, ...]], _Counted] = field(default_factory=dict)

    async def count(self, day: date, names: list[str]) -> _Counted:
        key = day, tuple(names)
        if key not in self.counted:
            self.counted[key] = await super().count(day, names)
        return self.counted[key]


@contextmanager
def _read_within(work: Work) -> Iterator[None]:
    """Let the statistics read what the test has written and not committed."""
    counted: dict[Any, _Counted] = {}

    @asynccontextmanager
    async def reading(ground: Ground, now: datetime) -> AsyncIterator[Reading]:
        await flush(work)
        connection = await (await work.session.connection()).get_raw_connection()
        raw: Any = connection.driver_connection
        first = await (await raw.execute("SELECT min(opened_at)::date FROM calls")).fetchone()
        asked = read_questions(in_force.folder_of(ground))
        yield _SameMoment(
            ground,
            raw,
            now,
            library_of(ground),
            asked,
            rounding=rounding_of(ground.keys),
            first=first[0],
            counted=counted,
        )

    with pytest.MonkeyPatch.context() as patch:
        for module in _READ_IN:
            patch.setattr(module, "reading", reading)
        yield


async def figures_of(work: Work, day: datetime) -> dict[str, Any]:
    """Return all figures of the periods in which a day lies, each cell by its place."""
    local = day.date()
    year, month = whole_period(Period.YEAR, local), whole_period(Period.MONTH, local)
    with _read_within(work):
        found = await _reports(work, local.isoformat())
        found |= await _files(work, month) | await _summaries(work, month)
        if WHOLE:
            found["release"] = await _release(work, year)
    return found


# One of calls and contacts, and one of referrals: others, and a release, are of the same counted
# days, and those of a year take a second.
_BY_DAY = ("daily", "agencies")


async def _reports(work: Work, day: str) -> dict[str, Any]:
    found = {}
    for name, kind in reports.kinds(work).items():
        if name not in _BY_DAY and not WHOLE:
            continue
        report = await kind.make(work, reports.window_of(work, kind, day), None)
        found[f"report {name}"] = asdict(report)
    return found


async def _files(work: Work, window: Window) -> dict[str, Any]:
    found = {}
    shapes = shapes_in(in_force.folder_of(work.ground))
    # By day each kind of file once: other reports and other columns are counted from the same days.
    wanted = [ExportWanted(what, window) for what in WHAT if what is not File.REPORT]
    reported = [ExportWanted(File.REPORT, window, report=name) for name in shapes]
    wanted += reported if WHOLE else reported[:1]
    wanted += [
        ExportWanted(File.REFERRALS, window, referrals_by=by)
        for by in ((ReferralsBy.SERVICE, ReferralsBy.URGENCY) if WHOLE else ())
    ]
    for one in wanted:
        rows: list[Any] = []
        async with made(work, one) as table:
            async for batch in table.batches:
                rows += batch.to_pylist()
            found[f"file {one.what} {one.report} {one.referrals_by}"] = (
                rows,
                [str(note) for note in table.table.notes],
            )
    return found


async def _summaries(work: Work, window: Window) -> dict[str, Any]:
    found: dict[str, Any] = {}
    # By day every third: the facts, which are compared as a whole, are all counted alike.
    for dimension in Dimension if WHOLE else list(Dimension)[::3]:
        # What is drawn is drawn from what is exact, with a secret that stays.
        for exact in (True, False) if WHOLE else (True,):
            asked = FiguresWanted(window, by=(dimension,), measures=NAMES)
            count = exactly.summarise_exactly if exact else summarise
            counted = await count(work, asked)
            found[f"summary {dimension} exact: {exact}"] = [
                (row.period, str(row.values), counted.figures(row))
                for row in [*counted.rows, Row("", (TOTAL,), TOTAL, counted.total)]
            ]
    return found


async def _release(work: Work, window: Window) -> Any:
    """Publish a period, and take it back: it is published once."""
    async with work.session.begin_nested() as once:
        found = await release.publish(work, f"{window.begins:%Y}")
        tables, file = found.tables, release.as_csv(found)
        work.session.expunge(found)
        await once.rollback()
    return tables, file


def cells_of(figures: Any) -> int:
    """Count the numbers other than nought in figures: two without any would be the same at once."""
    if isinstance(figures, dict):
        return sum(cells_of(one) for one in figures.values())
    if isinstance(figures, (list, tuple)):
        return sum(cells_of(one) for one in figures)
    return int(isinstance(figures, (int, float)) and figures > 0)
