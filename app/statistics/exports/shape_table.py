"""Export a report's shape: one number a row, with the same columns for every shape."""

from typing import Any

from app.definitions import in_force
from app.errors import Invalid, Message
from app.statistics.counting.labels import labeller
from app.statistics.counting.shape_figures import count_shape
from app.statistics.counting.shapes import CountedShape, shapes_in
from app.statistics.counting.summary import zones_of
from app.statistics.exports.tables import (
    CODE,
    OutColumn,
    OutTable,
    Said,
    batch_of,
    window_note,
)
from app.statistics.facts.days import reading
from app.statistics.periods import Window
from app.words.pages import SOURCE, _, said, spoken_in
from app.work import Work

COLUMNS = [
    OutColumn("table", "text", "code of the table", title="table (code)"),
    OutColumn("title", "text", "title of the table", title="table"),
    OutColumn("unit", "text", "what is counted: calls, contacts or children", labels=CODE),
    OutColumn(
        "row",
        "text",
        "code of the row; `all` for everything that the table counts",
        title="row (code)",
    ),
    OutColumn("label", "text", "the row in words", title="row"),
    OutColumn("column", "text", "the column in words"),
    OutColumn("number", "whole", "how many; empty: not recorded"),
    OutColumn("not_recorded", "text", "why a helpline does not record it"),
]


async def shape_table(
    work: Work, name: str | None, window: Window, line: str | None, language: str = ""
) -> tuple[OutTable, Any]:
    """Count a shape over any window; `language` is that of a reader. Raises Invalid."""
    shapes = shapes_in(in_force.folder_of(work.ground))
    if name not in shapes:
        raise Invalid("Choose one of the reports: %(known)s.", known=list(shapes))
    zones = await zones_of(work)
    label = await labeller(work, dict(zones.names), language or SOURCE)
    async with reading(work.ground, work.now) as look:
        counted = await count_shape(
            look, zones, shapes[name], window, label, line, language or SOURCE
        )
    notes: list[Said] = [
        window_note(window),
        Message("as of %(at)s", at=work.now.isoformat(timespec="seconds")),
        Message("source of the form: %(source)s", source=counted.shape.source),
        *(
            Message("%(sum)s: holds", sum=one.words)
            if one.holds
            else Message("%(sum)s: DOES NOT HOLD", sum=one.words)
            for one in counted.checks
        ),
    ]
    if counted.coverage is not None:
        share = counted.coverage.share
        notes.append(
            Message(
                "share of recorded categories that count in the framework: %(share)s", share=share
            )
        )
    table = OutTable(counted.title, COLUMNS, notes)
    with spoken_in(language or SOURCE):
        return table, batch_of(table, _rows(counted))


def _rows(counted: CountedShape) -> list[list[Any]]:
    found: list[list[Any]] = []
    for table in counted.tables:
        head = [table.code, table.title, table.unit]
        for row in table.rows:
            if row.not_recorded is not None:
                found.append([*head, row.code, row.label, "", None, row.not_recorded])
            for column, number in zip(table.columns, row.numbers, strict=False):
                found.append([*head, row.code, row.label, column, number, None])
        for column, number in zip(table.columns, table.total, strict=True):
            found.append(
                [*head, "all", _("All %(unit)s", unit=said(table.unit)), column, number, None]
            )
    return found
