"""Count what a report's definition file asks for."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.definitions.trees import label_in
from app.statistics.counting.conditions import (
    UNKNOWN,
    UNMAPPED,
    Mask,
    Population,
    ShapeDimension,
    Translator,
    Unit,
    columns_of,
    population_of,
)
from app.statistics.counting.shapes import (
    CheckedSum,
    CountedRow,
    CountedShape,
    CountedTable,
    Coverage,
    Shape,
    ShapeRow,
    ShapeTable,
)
from app.statistics.counting.summary import Zones
from app.statistics.dimensions import Dimension
from app.statistics.facts.columns import Block
from app.statistics.facts.days import Reading
from app.statistics.facts.unknowns import Unknown
from app.statistics.periods import Window
from app.statistics.protection.guard import Rounding, over_by
from app.words.pages import SOURCE, _, spoken_in

Numbers = dict[str, dict[str, int]]
# The column of all: each is counted once, whatever its columns.
ALL = "*"
Label = Callable[[str, str], str]


@dataclass
class _Counts:
    """The numbers of one table so far: by row and column."""

    cells: Numbers = field(default_factory=dict)
    whole: dict[str, int] = field(default_factory=dict)
    # The sums of the secret numbers of what is counted, by row and column; "" is the whole.
    keys: Numbers = field(default_factory=dict)

    def add(self, row: str, column: str, population: Population, mask: Mask) -> None:
        number = int(mask.sum())
        if number:
            known = self.cells.setdefault(row, {})
            known[column] = known.get(column, 0) + number
            self._add_key(row, column, population, mask)

    def add_whole(self, column: str, population: Population, mask: Mask) -> None:
        self.whole[column] = self.whole.get(column, 0) + int(mask.sum())
        self._add_key("", column, population, mask)

    def _add_key(self, row: str, column: str, population: Population, mask: Mask) -> None:
        if population.keys is not None:
            known = self.keys.setdefault(row, {})
            known[column] = known.get(column, 0) + int(population.keys[mask].sum())

    def key(self, row: str, column: str) -> int:
        return self.keys.get(row, {}).get(column, 0)


async def count_shape(
    look: Reading,
    zones: Zones,
    shape: Shape,
    window: Window,
    label: Label,
    line: str | None = None,
    language: str = SOURCE,
) -> CountedShape:
    """Count a report over a window, in each line's own time. Contacts and children are rounded (see
    `guard.py`). Raises NotAllowed.
    """
    rounding = look.rounding if shape.counts_what_was_said() else None
    if rounding is not None:
        window = over_by(window, look.now)
    zones.check(line)
    cuts = zones.cuts(window, None, line)
    since, until = zones.widest(window, [line] if line else ())
    translator = Translator(look.library, look.asked)
    counts = [_Counts() for _ in shape.tables]
    mapping = _Counts() if shape.mapping_coverage else None

    def count(block: Block) -> None:
        populations: dict[Unit, Population] = {}

        def of(unit: Unit) -> Population:
            if unit not in populations:
                populations[unit] = population_of(
                    unit, block, look.words, cuts, translator, line, rounding
                )
            return populations[unit]

        for table, one in zip(shape.tables, counts, strict=True):
            _count_table(of(table.unit), shape, table, one)
        if mapping is not None:
            _count_mapping(of("contacts"), mapping)

    names = columns_of([*shape.dimensions(), "category"])
    if rounding is not None:
        names.append("id")
    async for block in look.blocks(since, until, names):
        if block.size:
            await asyncio.to_thread(count, block)
    both = list(zip(shape.tables, counts, strict=True))
    tables = [_finished(table, one, look, label, None, language) for table, one in both]
    # Sums must hold for the exact counts, not for the rounded ones.
    checks = list(_checked(shape, tables))
    if rounding is not None:
        tables = [_finished(table, one, look, label, rounding, language) for table, one in both]
        checks = [CheckedSum(one.words, one.whole, one.parts, shown=False) for one in checks]
    coverage = None if mapping is None else _coverage(mapping, translator, rounding)
    return CountedShape(shape, label_in(shape.title, language), tables, checks, coverage)


def _mask(population: Population, part: Any) -> Any:
    found = population.where(part.where)
    for dimension, values in part.not_.items():
        found = found & ~population.is_(dimension, values)
    return found


def _count_table(population: Population, shape: Shape, table: ShapeTable, counts: _Counts) -> None:
    inside = population.where(shape.where) & _mask(population, table)
    columns = population.values(table.columns) if table.columns else [""]
    in_column = {
        column: population.is_(table.columns, [column]) if table.columns else inside
        for column in columns
    }
    for column, mask in in_column.items():
        counts.add_whole(column, population, inside & mask)
    left = inside
    counts.add_whole(ALL, population, inside)
    for code, mask in _row_masks(population, table):
        fits = left & mask
        counts.add(code, ALL, population, fits)
        for column, of_column in in_column.items():
            counts.add(code, column, population, fits & of_column)
        if table.first_of:
            left = left & ~mask


def _row_masks(population: Population, table: ShapeTable) -> Any:
    if table.rows is not None:
        for row in table.rows:
            if row.not_recorded is None:
                yield row.code, _mask(population, row)
        return
    assert table.each is not None
    for value in population.values(table.each):
        yield value, population.is_(table.each, [value])


def _count_mapping(population: Population, counts: _Counts) -> None:
    for code in population.values(Dimension.CATEGORY):
        if code not in set(Unknown):
            counts.add(code, ALL, population, population.is_(Dimension.CATEGORY, [code]))


def _coverage(counts: _Counts, translator: Translator, rounding: Rounding | None) -> Coverage:
    """Return the coverage of the mapping; each count is rounded by the contacts in it."""

    def shown(codes: list[str]) -> int:
        number = sum(counts.cells[code][ALL] for code in codes)
        if rounding is None:
            return number
        return rounding.rounded(number, sum(counts.key(code, ALL) for code in codes))

    lost = {code: shown([code]) for code in counts.cells if translator.framework(code) == UNMAPPED}
    # A code that rounds to 0 is left out: its presence would show that it is not empty.
    return Coverage(shown(list(counts.cells)), {code: n for code, n in lost.items() if n})


def _finished(
    table: ShapeTable,
    counts: _Counts,
    look: Reading,
    label: Label,
    rounding: Rounding | None,
    language: str,
) -> CountedTable:
    def shown(number: int, row: str, column: str) -> int:
        if rounding is None or table.unit == "calls":
            return number
        return rounding.rounded(number, counts.key(row, column))

    columns = [""]
    wide_rows = _all_values(table.each, look) if table.each else []
    if table.columns:
        # An empty column is left out, unless its value belongs to a tree or list.
        wide = _all_values(table.columns, look)
        columns = [
            c for c, n in counts.whole.items() if c != ALL and (shown(n, "", c) or c in wide)
        ]
        columns.sort(key=lambda c: _place(c, wide))
    rows = []
    for code, words, why in _row_list(table, counts, look, label, language):
        cells = counts.cells.get(code, {})
        numbers = [shown(cells.get(column, 0), code, column) for column in columns]
        if table.columns:
            numbers.append(shown(cells.get(ALL, 0), code, ALL))
        if table.each and code not in wide_rows and not any(numbers):
            # A row that rounds to 0 is left out: its presence would show that it is not empty.
            continue
        rows.append(CountedRow(code, words, [] if why else numbers, why))
    total = [shown(counts.whole.get(column, 0), "", column) for column in columns]
    if table.columns:
        total.append(shown(counts.whole.get(ALL, 0), "", ALL))
    with spoken_in(language):
        whole, number = _("Total"), _("Number")
    names = [label(table.columns, c) for c in columns] + [whole] if table.columns else [number]
    return CountedTable(
        table.code,
        label_in(table.title, language),
        table.unit,
        names,
        rows,
        total,
        table.overlapping,
        table.each is not None,
    )


def _row_list(
    table: ShapeTable, counts: _Counts, look: Reading, label: Label, language: str
) -> list[tuple[str, str, str | None]]:
    if table.rows is not None:
        return [
            (row.code, label_in(row.label, language), _why(row, language)) for row in table.rows
        ]
    assert table.each is not None
    known = _all_values(table.each, look)
    more = (c for c, cells in counts.cells.items() if c not in known and any(cells.values()))
    codes = [*known, *sorted(more)]
    codes = [c for c in codes if _stays(table, look, c)]
    codes.sort(key=lambda c: _place(c, known))
    return [(code, label(table.each, code), None) for code in codes]


def _why(row: ShapeRow, language: str) -> str | None:
    return label_in(row.not_recorded, language) if row.not_recorded else None


def _place(code: str, known: list[str]) -> tuple[int, int, str]:
    """Return the sort key of a code: in the order of the tree or list, numbers by size, and what
    was not said last.
    """
    if code in UNKNOWN:
        return (2, 0, code)
    if code in known:
        return (0, known.index(code), code)
    return (1, int(code) if code.isdigit() else 10_000, code)


def _all_values(dimension: str, look: Reading) -> list[str]:
    """Return the values that have a row even if it is empty: those of trees and age bands."""
    if dimension == ShapeDimension.FRAMEWORK:
        return list(look.library.framework.choices())
    if dimension == ShapeDimension.FRAMEWORK_GROUP:
        return [node.code for node in look.library.framework.nodes]
    if dimension == Dimension.CATEGORY:
        return list(look.library.categories.choices())
    if dimension == Dimension.CATEGORY_GROUP:
        return [node.code for node in look.library.categories.nodes]
    if dimension == Dimension.AGE_BAND:
        return [band.code for band in look.asked.age_bands]
    return []


def _stays(table: ShapeTable, look: Reading, code: str) -> bool:
    groups = table.only.get(Dimension.CATEGORY_GROUP)
    if groups is None:
        return True
    paths = look.library.categories.paths()
    return code in paths and paths[code][0] in groups


def _checked(shape: Shape, tables: list[CountedTable]) -> Any:
    rows = {f"{table.code}.{row.code}": row for table in tables for row in table.rows}
    numbers = {name: row.numbers[-1] for name, row in rows.items() if row.numbers}

    def label(name: str) -> str:
        return rows[name].label if name in rows else name

    for check in shape.checks:
        parts = sum(numbers.get(part, 0) for part in check.parts)
        words = f"{label(check.whole)} = {' + '.join(map(label, check.parts))}"
        yield CheckedSum(words, numbers.get(check.whole, 0), parts)
