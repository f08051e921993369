"""What is published: one set of tables for each whole period, small numbers hidden, once for ever.

Periods never overlap (`HELPLINE_PUBLIC_PERIOD`: years, quarters or months) and a release is never
made anew, so nothing can be worked out from the difference of two. Its tables share totals; what
is hidden is hidden in all of them, and then attacked (`suppression.py`) before it is kept.
"""

import asyncio
import csv
import io
import re
from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import select

from app.errors import Conflict, Invalid, NotFound
from app.staff.audit import write_entry
from app.statistics.days import REST, reading
from app.statistics.filling import fill
from app.statistics.labels import labeller
from app.statistics.models import PublicRelease
from app.statistics.periods import Period, Window, whole_period
from app.statistics.shapes import CountedShape, CountedTable, Shape
from app.statistics.summary import zones_of
from app.statistics.suppression import Equation, Tables, TooSmall, suppress
from app.statistics.writers import safe
from app.work import Work

_NOT_RECORDED = "not_recorded"
_COUNSELLING = {"purpose": ["counselling"]}


def _table(code: str, title: str, unit: str, each: str, columns: str | None = None) -> Any:
    one: dict[str, Any] = {"code": code, "title": {"en": title}, "unit": unit, "each": each}
    if columns is not None:
        one["columns"] = columns
    if unit != "calls":
        one["where"] = _COUNSELLING
    if each == "category_group":
        one["overlapping"] = True
    return one


# Everything that is ever published of a period. Tables of one unit share their margins.
SHAPE = Shape.model_validate(
    {
        "report": "public", "version": 1, "title": {"en": "Public figures"}, "period": "year",
        "source": "counted by the helpline; numbers from 1 to 4 are hidden",
        "tables": [
            _table("calls", "Calls by outcome", "calls", "outcome"),
            _table("lines", "Calls by line", "calls", "line"),
            _table("who", "Contacts by person and channel", "contacts", "kind", "channel"),
            _table("regions", "Children by region and gender", "children", "region", "sex"),
            _table("ages", "Children by age and gender", "children", "age_band", "sex"),
            _table("region_ages", "Children by region and age", "children", "region", "age_band"),
            _table("groups", "Children by what it was about and gender", "children",
                   "category_group", "sex"),
        ],
    }
)  # fmt: skip
# Margins that several tables show: the rows or the columns of each.
_MARGINS = {
    "calls": ("outcome", None), "lines": ("line", None), "who": ("kind", "channel"),
    "regions": ("region", "sex"), "ages": ("age_band", "sex"),
    "region_ages": ("region", "age_band"), "groups": ("category_group", "sex"),
}  # fmt: skip


_NAMES = {
    "year": re.compile("[0-9]{4}"),
    "quarter": re.compile("[0-9]{4}-Q[1-4]"),
    "month": re.compile("[0-9]{4}-[0-9]{2}"),
}


def read_public_period(text: str, kind: str) -> Window:
    """The window of a period: 2026, 2026-Q1 or 2026-03, as the settings say. Raises Invalid."""
    if _NAMES[kind].fullmatch(text) is None:
        text = ""
    try:
        if kind == "year" and len(text) == 4:
            return whole_period(Period.YEAR, date(int(text), 1, 1))
        if kind == "month" and len(text) == 7 and text[4] == "-":
            return whole_period(Period.MONTH, date(int(text[:4]), int(text[5:]), 1))
        if kind == "quarter" and len(text) == 7 and text[4:6] == "-Q" and text[6] in "1234":
            return whole_period(Period.QUARTER, date(int(text[:4]), int(text[6]) * 3 - 2, 1))
    except ValueError:
        pass
    example = {"year": "2026", "quarter": "2026-Q1", "month": "2026-03"}[kind]
    raise Invalid(f"What is published is published by {kind}: write it like {example}.")


async def publish(work: Work, period: str) -> PublicRelease:
    """Count, hide, attack and keep. Raises Invalid, Conflict."""
    window = read_public_period(period, work.settings.public_period)
    if await work.session.get(PublicRelease, period) is not None:
        raise Conflict("This period is published, and what is published does not change.")
    assert isinstance(window.begins, date)
    assert isinstance(window.ends, date)
    overlapping = select(PublicRelease.period).where(
        PublicRelease.begins_on < window.ends, PublicRelease.ends_on > window.begins
    )
    if (other := await work.session.scalar(overlapping)) is not None:
        raise Conflict(f"It overlaps with {other}, which is published: the difference would tell.")
    zones = await zones_of(work)
    # Over on every line, with the talks that began in it.
    if zones.widest(window)[1] + REST > work.now:
        raise Invalid("This period is not over.")
    label = await labeller(work, dict(zones.names))
    async with reading(work.ground, work.now) as look:
        counted = await fill(look, zones, SHAPE, window, label, exact=True)
    if not any(table.total[-1] for table in counted.tables):
        raise Invalid("There is nothing in that period to publish.")
    content = await asyncio.to_thread(_hide, counted)
    found = PublicRelease(
        period=period,
        begins_on=window.begins,
        ends_on=window.ends,
        made_at=work.now,
        made_by=work.actor.staff_id,
        tables=content,
    )
    work.session.add(found)
    await work.session.flush()
    write_entry(work, "figures published", f"public:{period}")
    return found


async def released(work: Work, period: str) -> PublicRelease:
    """Raises NotFound."""
    found = await work.session.get(PublicRelease, period)
    if found is None:
        raise NotFound("Nothing was published of this period.")
    return found


async def releases(work: Work) -> list[PublicRelease]:
    rows = await work.session.scalars(select(PublicRelease).order_by(PublicRelease.period.desc()))
    return list(rows)


def _hide(counted: CountedShape) -> list[dict[str, Any]]:
    tables = as_tables(counted.tables)
    try:
        hidden = suppress(tables)
    except TooSmall as error:
        raise Invalid(str(error)) from None
    return [_published(table, hidden) for table in counted.tables]


def _cell(table: CountedTable, row: str, column: str | None) -> str:
    """The name of a cell; a margin has one name in all tables that show it."""
    each, columns = _MARGINS[table.code]
    if column is None or columns is None:
        return f"{table.unit}|{each}={row}"
    return f"{table.unit}|{each}={row}|{columns}={column}"


def _columns(table: CountedTable) -> list[str]:
    return table.columns[:-1] if len(table.columns) > 1 else []


def as_tables(counted: Iterable[CountedTable]) -> Tables:
    """All published tables as cells and the equations that hold between them."""
    cells: dict[str, int] = {}
    equations: dict[str, Equation] = {}
    latent: set[str] = set()

    def add(whole: str, parts: list[str], overlapping: bool = False) -> None:
        equations[f"{whole}<{'+'.join(parts)}"] = Equation(whole, tuple(parts), overlapping)

    def of_rows(whole: str, parts: dict[str, str], table: CountedTable) -> None:
        """Rows of a table: they add up, or cover what is left when nothing was recorded."""
        if not table.overlapping:
            add(whole, list(parts.values()))
            return
        # Who is in "not recorded" is in no other row: the others cover the rest.
        nothing = parts.pop(_NOT_RECORDED, None)
        said = f"{whole}|said"
        cells[said] = cells[whole] - (cells[nothing] if nothing is not None else 0)
        latent.add(said)
        add(whole, [said, *([nothing] if nothing is not None else [])])
        add(said, list(parts.values()), overlapping=True)

    for table in counted:
        columns = _columns(table)
        total = f"{table.unit}|total"
        cells[total] = table.total[-1]
        for row in table.rows:
            cells[_cell(table, row.code, None)] = row.numbers[-1]
            for n, column in enumerate(columns):
                cells[_cell(table, row.code, column)] = row.numbers[n]
            if columns:
                add(
                    _cell(table, row.code, None),
                    [_cell(table, row.code, column) for column in columns],
                )
        rows = [row.code for row in table.rows]
        of_rows(total, {code: _cell(table, code, None) for code in rows}, table)
        for n, column in enumerate(columns):
            margin = f"{table.unit}|{_MARGINS[table.code][1]}={column}"
            cells[margin] = table.total[n]
            of_rows(margin, {code: _cell(table, code, column) for code in rows}, table)
        if columns:
            names = [f"{table.unit}|{_MARGINS[table.code][1]}={column}" for column in columns]
            add(total, names)
    return Tables(cells, list(equations.values()), latent=latent)


def _published(table: CountedTable, hidden: set[str]) -> dict[str, Any]:
    """A table as everybody may see it; a hidden number is null."""
    columns = _columns(table)
    of_columns = _MARGINS[table.code][1]

    def shown(name: str, number: int) -> int | None:
        return None if name in hidden else number

    rows = []
    for row in table.rows:
        numbers = [
            shown(_cell(table, row.code, column), row.numbers[n])
            for n, column in enumerate(columns)
        ]
        numbers.append(shown(_cell(table, row.code, None), row.numbers[-1]))
        rows.append({"label": row.label, "numbers": numbers})
    total = [
        shown(f"{table.unit}|{of_columns}={column}", table.total[n])
        for n, column in enumerate(columns)
    ]
    total.append(shown(f"{table.unit}|total", table.total[-1]))
    return {
        "code": table.code, "title": table.title, "unit": table.unit,
        "columns": [*columns, "Total"] if columns else ["Number"], "rows": rows,
        "total": total, "overlapping": table.overlapping,
    }  # fmt: skip


WORDS = (
    "calls: every inbound ring that was no practice; contacts: records of talks, letters, visits; "
    "children: those who were described in them, each by itself",
    "null: hidden, because it is from 1 to 4 or would give away a number that is",
    "a child is counted in each of its groups of what it was about, so those rows add up to more",
    "contacts that were no counselling (silent, tests, wrong numbers, …) are not counted",
)


def as_csv(found: PublicRelease) -> str:
    """The same as a file: one number a line; what is hidden is empty."""
    out = io.StringIO()
    for words in (f"Public figures of {found.period}", *WORDS):
        out.write(f"# {words.replace('null', 'empty')}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "unit", "row", "column", "number", "hidden"])
    for table in found.tables:
        total = {"label": f"All {table['unit']}", "numbers": table["total"]}
        for row in [*table["rows"], total]:
            for column, number in zip(table["columns"], row["numbers"], strict=True):
                shown = "" if number is None else number
                hidden = str(number is None).lower()
                line = [table["title"], table["unit"], safe(row["label"]), safe(column)]
                writer.writerow([*line, shown, hidden])
    return out.getvalue()


def as_json(found: PublicRelease) -> dict[str, Any]:
    return {
        "period": found.period, "published_at": found.made_at, "definitions": list(WORDS),
        "tables": found.tables,
    }  # fmt: skip
