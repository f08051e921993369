"""Reports as data: their tables, how each is counted, and the sums that must hold.

A file names tables; a table counts calls, contacts or children under a condition, in rows of its
own (`rows`) or in one for each value of a dimension (`each`), optionally by columns. A country puts
its own files into its definitions folder. What is not recorded is marked so; it is never 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field as Key
from pydantic import model_validator

from app.definitions.datafile import Lines, Part, Wrong, read_model
from app.definitions.folder import Folder, shipped_folder
from app.definitions.trees import Labels
from app.errors import BadText, Message
from app.statistics.counting.conditions import DIMENSIONS, ShapeDimension, Unit
from app.statistics.dimensions import COLUMN, Dimension
from app.statistics.facts.facts import COLUMNS

SHIPPED = Path(__file__).parent.parent / "data"
Wanted = dict[str, list[str]]


class ShapeRow(Part):
    code: str = Key(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    label: Labels
    where: Wanted = Key(default_factory=dict)
    not_: Wanted = Key(default_factory=dict, alias="not")
    # Why a helpline does not record it.
    not_recorded: Labels | None = None


class ShapeTable(Part):
    code: str = Key(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    title: Labels
    unit: Unit
    where: Wanted = Key(default_factory=dict)
    not_: Wanted = Key(default_factory=dict, alias="not")
    rows: list[ShapeRow] | None = None
    each: str | None = None
    # Limits the rows of `each` to these groups.
    only: Wanted = Key(default_factory=dict)
    columns: str | None = None
    # Each record is counted only in the first row that fits.
    first_of: bool = False
    # A record may be in several rows: the rows do not add up, and the report says so.
    overlapping: bool = False

    @model_validator(mode="after")
    def _rows_or_each(self) -> "ShapeTable":
        if (self.rows is None) == (self.each is None):
            raise BadText("give either rows or each")
        return self

    def conditions(self) -> Iterator[Wanted]:
        yield from (self.where, self.not_, self.only)
        for row in self.rows or []:
            yield from (row.where, row.not_)

    def dimensions(self) -> Iterator[str]:
        for condition in self.conditions():
            yield from condition
        yield from (d for d in (self.each, self.columns) if d is not None)


class Check(Part):
    """A sum that must hold: the parts add up to the whole. Each is written as `table.row`."""

    whole: str
    parts: list[str] = Key(min_length=1)


class Shape(Part):
    report: str = Key(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    version: int = Key(ge=1)
    title: Labels
    period: Literal["day", "week", "month", "quarter", "year"]
    source: str
    mapping_coverage: bool = False
    where: Wanted = Key(default_factory=dict)
    tables: list[ShapeTable] = Key(min_length=1)
    checks: list[Check] = Key(default_factory=list)

    def counts_what_was_said(self) -> bool:
        """Return whether it needs whole months: calls by the day tell nothing of what was said."""
        return self.mapping_coverage or any(table.unit != "calls" for table in self.tables)

    def dimensions(self) -> list[str]:
        found = [*self.where]
        for table in self.tables:
            found += table.dimensions()
        return list(dict.fromkeys(found))


@lru_cache(maxsize=8)
def shapes_in(folder: Folder | None = None) -> dict[str, Shape]:
    """Return all shapes; a country's own replaces the shipped one of the same name.

    Raises BadDefinition with file and line.
    """
    found: dict[str, Shape] = {}
    wrong = Wrong()
    for files in (shipped_folder(SHIPPED), folder):
        for name, text in files.files if files is not None else ():
            if name.startswith("report-"):
                with wrong:
                    shape, lines = read_model(Shape, text, name)
                    _check(shape, lines)
                    found[shape.report] = shape
    wrong.refuse()
    return found


def _check(shape: Shape, lines: Lines) -> None:
    for n, table in enumerate(shape.tables):
        where = ("tables", n)
        for dimension in table.dimensions():
            if dimension not in DIMENSIONS:
                raise lines.refuse(
                    where, Message("there is no dimension '%(dimension)s'", dimension=dimension)
                )
        for shown in (table.each, table.columns):
            several = shown is not None and _is_several(shown, table.unit)
            if several and not table.overlapping:
                words = Message(
                    "a record may have several of '%(dimension)s': add `overlapping: true`",
                    dimension=shown,
                )
                raise lines.refuse(where, words)
    for n, table in enumerate(shape.tables):
        told = [d for d in (*table.dimensions(), *shape.where) if _is_told(d)]
        if table.unit == "calls" and told:
            words = Message(
                "calls are not counted by what was said (%(dimension)s): count contacts",
                dimension=told[0],
            )
            raise lines.refuse(("tables", n), words)
        if table.unit != "calls" and shape.period in ("day", "week"):
            words = Message("what was said is counted by months or longer: give such a period")
            raise lines.refuse(("period",), words)
    rows = {f"{t.code}.{r.code}" for t in shape.tables for r in t.rows or []}
    for n, check in enumerate(shape.checks):
        for name in (check.whole, *check.parts):
            if name not in rows:
                raise lines.refuse(("checks", n), Message("there is no row '%(name)s'", name=name))


def _is_told(dimension: str) -> bool:
    """Return whether a dimension shows what was said."""
    if dimension in set(ShapeDimension):
        return True
    return COLUMNS[COLUMN[Dimension(dimension)]].part == "record"


def _is_several(dimension: str, unit: Unit) -> bool:
    if unit == "children" and dimension in ("age", "age_band", "sex"):
        return False
    if dimension in set(ShapeDimension):
        return True
    return COLUMNS[COLUMN[Dimension(dimension)]].kind == "words"


@dataclass
class CountedRow:
    """A row with its numbers: one, or one for each column, and the total last."""

    code: str
    label: str
    numbers: list[int]
    not_recorded: str | None = None


@dataclass
class CountedTable:
    code: str
    title: str
    unit: Unit
    columns: list[str]
    rows: list[CountedRow]
    # All that the table counts, whatever its rows are.
    total: list[int]
    overlapping: bool = False
    # Whether it has a row for each value of a dimension.
    each: bool = False


@dataclass
class CheckedSum:
    """A sum that must hold in the report, and whether it does."""

    words: str
    whole: int
    parts: int
    # Whether the two numbers are shown, or only whether they agree.
    shown: bool = True

    @property
    def numbers(self) -> tuple[str, str]:
        return (str(self.whole), str(self.parts)) if self.shown else ("–", "–")

    @property
    def holds(self) -> bool:
        return self.whole == self.parts


@dataclass
class Coverage:
    """How many of the recorded categories are mapped to the framework."""

    counted: int
    unmapped: dict[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float | None:
        lost = sum(self.unmapped.values())
        # Rounded one by one, the parts may be more than the whole.
        return max(self.counted - lost, 0) / self.counted if self.counted else None


@dataclass
class CountedShape:
    """A report with its numbers."""

    shape: Shape
    title: str
    tables: list[CountedTable]
    checks: list[CheckedSum]
    coverage: Coverage | None = None
