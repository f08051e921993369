"""Public releases: one set of tables for each whole period, rounded, made once and never again.

Contacts and children are counted as in every other table (`guard.py`): rounded to base 3 by the
cell-key method, so that the same contacts give the same number everywhere, and a release shows
nothing that the other tables do not. Totals are rounded separately and need not be the sum of
their parts. Calls by outcome and by line say nothing about a child and are exact.

Periods never overlap (`HELPLINE_PUBLIC_PERIOD`: years, quarters or months) and a release is never
made again, so that a later correction shows no single contact.
"""

import csv
import io
import re
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from app.errors import Code, Conflict, Invalid, NotFound
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.statistics.counting.conditions import Unit
from app.statistics.counting.labels import labeller
from app.statistics.counting.shape_figures import count_shape
from app.statistics.counting.shapes import CountedTable, Shape
from app.statistics.counting.summary import Zones, zones_of
from app.statistics.dimensions import Dimension
from app.statistics.exports.writers import safe
from app.statistics.facts.days import REST, reading
from app.statistics.models import PublicRelease
from app.statistics.periods import Period, Window, name_of, whole_period
from app.statistics.protection.guard import BASE, on_grid
from app.work import Work

_COUNSELLING = {Dimension.PURPOSE: ["counselling"]}
# How many periods back one can still be published.
_OFFERED = 24


def _table(
    code: str, title: str, unit: Unit, each: Dimension, columns: Dimension | None = None
) -> Any:
    one: dict[str, Any] = {"code": code, "title": {"en": title}, "unit": unit, "each": each}
    if columns is not None:
        one["columns"] = columns
    if unit != "calls":
        one["where"] = _COUNSELLING
    if each is Dimension.CATEGORY_GROUP:
        one["overlapping"] = True
    return one


# Everything that is ever published about a period. Tables of one unit share their margins.
SHAPE = Shape.model_validate(
    {
        "report": "public",
        "version": 1,
        "title": {"en": "Public figures"},
        "period": "year",
        "source": "counted by the helpline; contacts and children are rounded to multiples of 3",
        "tables": [
            _table("calls", "Calls by outcome", "calls", Dimension.OUTCOME),
            _table("lines", "Calls by line", "calls", Dimension.LINE),
            _table(
                "who",
                "Contacts by person and channel",
                "contacts",
                Dimension.KIND,
                Dimension.CHANNEL,
            ),
            _table(
                "regions",
                "Children by region and gender",
                "children",
                Dimension.REGION,
                Dimension.SEX,
            ),
            _table(
                "ages", "Children by age and gender", "children", Dimension.AGE_BAND, Dimension.SEX
            ),
            _table(
                "region_ages",
                "Children by region and age",
                "children",
                Dimension.REGION,
                Dimension.AGE_BAND,
            ),
            _table(
                "groups",
                "Children by topic and gender",
                "children",
                Dimension.CATEGORY_GROUP,
                Dimension.SEX,
            ),
        ],
    }
)

_NAMES = {
    Period.YEAR: re.compile("[0-9]{4}"),
    Period.QUARTER: re.compile("[0-9]{4}-Q[1-4]"),
    Period.MONTH: re.compile("[0-9]{4}-[0-9]{2}"),
}
_EXAMPLES = {Period.YEAR: "2026", Period.QUARTER: "2026-Q1", Period.MONTH: "2026-03"}


def read_public_period(text: str, kind: Period) -> Window:
    """Read a period (2026, 2026-Q1 or 2026-03, as the settings say). Raises Invalid."""
    if _NAMES[kind].fullmatch(text) is None:
        text = ""
    try:
        if kind == Period.YEAR and len(text) == 4:
            return whole_period(Period.YEAR, date(int(text), 1, 1))
        if kind == Period.MONTH and len(text) == 7 and text[4] == "-":
            return whole_period(Period.MONTH, date(int(text[:4]), int(text[5:]), 1))
        if kind == Period.QUARTER and len(text) == 7 and text[4:6] == "-Q" and text[6] in "1234":
            return whole_period(Period.QUARTER, date(int(text[:4]), int(text[6]) * 3 - 2, 1))
    except ValueError:
        pass
    example = _EXAMPLES[kind]
    raise Invalid(
        "Figures are published by %(kind)s. Write the period like %(example)s.",
        kind=Code(kind),
        example=example,
    )


async def publish(work: Work, period: str) -> PublicRelease:
    """Count, round and store the figures of a period. Raises Invalid, Conflict."""
    window = read_public_period(period, Period(work.settings.public_period))
    if await work.session.get(PublicRelease, period) is not None:
        raise Conflict("This period is already published, and a release does not change.")
    assert isinstance(window.begins, date)
    assert isinstance(window.ends, date)
    overlapping = select(PublicRelease.period).where(
        PublicRelease.begins_on < window.ends, PublicRelease.ends_on > window.begins
    )
    if (other := await work.session.scalar(overlapping)) is not None:
        raise Conflict(
            "This period overlaps with %(other)s, which is already published. The "
            "difference would show single contacts.",
            other=other,
        )
    zones = await zones_of(work)
    if not _is_over(work, zones, window):
        raise Invalid("This period is not over yet. Publish it afterwards.")
    # What is published is for the public, and in English whatever the publisher's language is.
    label = await labeller(work, dict(zones.names))
    async with reading(work.ground, work.now) as look:
        counted = await count_shape(look, zones, SHAPE, window, label)
    if not any(table.total[-1] for table in counted.tables):
        raise Invalid("There is nothing in that period to publish.")
    found = PublicRelease(
        period=period,
        begins_on=window.begins,
        ends_on=window.ends,
        made_at=work.now,
        made_by=work.actor.staff_id,
        tables=[_published(table) for table in counted.tables],
    )
    work.session.add(found)
    await work.session.flush()
    write_entry(work, AuditLog.FIGURES_PUBLISHED, f"public:{period}")
    return found


def _is_over(work: Work, zones: Zones, window: Window) -> bool:
    """Return whether all of a period is counted: it is over on every line, with the talks that
    began in it, and in every time zone, before which its last month would be left out."""
    return zones.widest(window)[1] + REST <= work.now and on_grid(window, None, work.now)


async def released(work: Work, period: str) -> PublicRelease:
    """Return the release of a period. Raises NotFound."""
    found = await work.session.get(PublicRelease, period)
    if found is None:
        raise NotFound("Nothing has been published for this period.")
    return found


async def publishable(work: Work) -> list[str]:
    """Return which of the last periods are over and overlap with no release, the newest first."""
    kind = Period(work.settings.public_period)
    zones = await zones_of(work)
    known = await releases(work)
    found: list[str] = []
    window = whole_period(kind, work.now.date())
    for _ in range(_OFFERED):
        assert isinstance(window.begins, date)
        assert isinstance(window.ends, date)
        free = not any(r.begins_on < window.ends and r.ends_on > window.begins for r in known)
        if free and _is_over(work, zones, window):
            found.append(name_of(kind, window.begins))
        window = whole_period(kind, window.begins - timedelta(days=1))
    return found


async def releases(work: Work) -> list[PublicRelease]:
    rows = await work.session.scalars(select(PublicRelease).order_by(PublicRelease.period.desc()))
    return list(rows)


def _published(table: CountedTable) -> dict[str, Any]:
    """Return a table as the public sees it."""
    several = len(table.columns) > 1
    return {
        "code": table.code,
        "title": table.title,
        "unit": table.unit,
        "columns": table.columns if several else ["Number"],
        "rows": [{"label": row.label, "numbers": row.numbers} for row in table.rows],
        "total": table.total,
        "overlapping": table.overlapping,
        "rounded": table.unit != "calls",
    }


WORDS = (
    "calls: every inbound ring except on practice lines; contacts: records of talks, letters, "
    "visits; children: those described in these records, each child separately",
    f"numbers of contacts and children are rounded up or down to a multiple of {BASE}, so that "
    f"they do not show a single child: each differs from the count by at most {BASE - 1}, and on "
    "average by nothing; a total need not be the sum of its parts; calls are exact",
    "a child is counted under each of its topics, so those rows add up to more than the total",
    "non-counselling contacts (silent, tests, wrong numbers, …) are not counted",
)


def as_csv(found: PublicRelease) -> str:
    """Return a release as a CSV file, one number a line."""
    out = io.StringIO()
    for words in (f"Public figures of {found.period}", *WORDS):
        out.write(f"# {words}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "unit", "row", "column", "number"])
    for table in found.tables:
        total = {"label": f"All {table['unit']}", "numbers": table["total"]}
        for row in [*table["rows"], total]:
            for column, number in zip(table["columns"], row["numbers"], strict=True):
                line = [table["title"], table["unit"], safe(row["label"]), safe(column)]
                writer.writerow([*line, number])
    return out.getvalue()


def as_json(found: PublicRelease) -> dict[str, Any]:
    return {
        "period": found.period,
        "published_at": found.made_at,
        "definitions": list(WORDS),
        "tables": found.tables,
    }
