"""Tables for export: columns with a type and a definition, and rows in batches.

Every export, in any format, is one of these.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

import pyarrow as pa

from app.errors import Message
from app.statistics.counting import reconcile
from app.statistics.counting.labels import OVERLAP
from app.statistics.counting.summary import Summary
from app.statistics.counting.targets import target_message
from app.statistics.dimensions import Dimension
from app.statistics.facts.unknowns import STORED_AS
from app.statistics.measures import MEANS, definition
from app.statistics.periods import Window
from app.words.pages import language_name, message_words, spoken_in

Kind = Literal["id", "text", "whole", "number", "instant", "wall", "texts", "counts", "yes_no"]
_TYPES: dict[Kind, pa.DataType] = {
    "id": pa.string(),
    "text": pa.string(),
    "whole": pa.int64(),
    "number": pa.float64(),
    "instant": pa.timestamp("s", tz="UTC"),
    "wall": pa.timestamp("s"),
    "texts": pa.list_(pa.string()),
    # The number of each word: a JSON object, a Parquet map, text in one cell elsewhere.
    "counts": pa.map_(pa.string(), pa.int64()),
    "yes_no": pa.bool_(),
}
_CODES = {**{stored: code.value for code, stored in STORED_AS.items()}, OVERLAP: "overlap"}
# What the texts of a column are, besides codes of a dimension: codes, or sentences.
CODE, SENTENCE = "code", "sentence"
# A text for readers; a message is said in their language.
Said = str | Message


def type_of(kind: Kind) -> pa.DataType:
    return _TYPES[kind]


@dataclass(frozen=True)
class OutColumn:
    """A column of a file: its name never changes, and `words` is its definition.

    `title` and `said` are heading and definition in a file for readers, where the name and `words`
    are no message. `labels`: what its texts are, so that they can be said in words.
    """

    name: str
    kind: Kind
    words: str
    title: Said = ""
    said: Said = ""
    labels: str = ""


@dataclass
class OutTable:
    """A table to export; its batches are made while they are read."""

    title: str
    columns: list[OutColumn]
    # Notes for readers: the window, the time of counting, the target.
    notes: list[Said]
    reconciliation: list[reconcile.ReconciliationLine] = field(default_factory=list)
    # About single persons: no byte of it is written to disk unencrypted.
    sealed: bool = False
    # How many batches there will be, to show progress.
    of: int = 1
    # The language of its reader; empty: as programs read it, in English.
    language: str = ""

    @property
    def schema(self) -> pa.Schema:
        return pa.schema(
            [
                pa.field(c.name, _TYPES[c.kind], metadata={"words": self.definition(c)})
                for c in self.columns
            ]
        )

    def say(self, text: Said) -> str:
        """Return a text in the language of the file."""
        if not self.language:
            return str(text)
        with spoken_in(self.language):
            return message_words(text if isinstance(text, Message) else Message(text))

    def heading(self, column: OutColumn) -> str:
        """Return what stands above a column: its name, or words for a reader."""
        if not self.language:
            return column.name
        return self.say(column.title or column.name.replace("_", " "))

    def definition(self, column: OutColumn) -> str:
        """Return what a column means."""
        return self.say(column.said or column.words) if self.language else column.words

    def described(self, column: OutColumn) -> str:
        """Return a column by its name; a reader also reads its heading."""
        name = f"{self.heading(column)} ({column.name})" if self.language else column.name
        return f"{name}: {self.definition(column)}"


Batches = AsyncIterator[pa.RecordBatch]


def batch_of(table: OutTable, rows: list[list[Any]]) -> pa.RecordBatch:
    """Return a batch of rows of plain values."""
    columns = [list(values) for values in zip(*rows, strict=True)] or [[] for _ in table.columns]
    arrays = [
        pa.array(values, type=_TYPES[c.kind])
        for values, c in zip(columns, table.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=table.schema)


async def one_batch(batch: pa.RecordBatch) -> Batches:
    yield batch


# -- summaries ---------------------------------------------------------------------------------

ROW_WORDS = (
    "cell: a group; counted more than once: what the groups count more than once, so that groups "
    "and this row add up to the total; total: the calls and contacts of the period"
)


def window_note(window: Window) -> Message:
    """Return the note on a window in the time of each line."""
    return Message(
        "from %(begin)s to %(end)s (exclusive), in each line's own time zone",
        begin=edge(window.begins),
        end=edge(window.ends),
    )


def country_note(window: Window) -> Message:
    """Return the note on a window in the time of the country."""
    return Message(
        "from %(begin)s to %(end)s (exclusive), in the country's time zone",
        begin=edge(window.begins),
        end=edge(window.ends),
    )


def edge(value: date | datetime) -> date | str:
    """Return the edge of a window for a message: a reader reads days in the form of a language."""
    return value.isoformat() if isinstance(value, datetime) else value


def notes_of(summary: Summary) -> list[Said]:
    """Return the notes above the numbers."""
    asked = summary.asked
    found: list[Said] = [
        window_note(asked.window),
        Message(
            "as of %(at)s; later entries change these numbers",
            at=summary.as_of.astimezone(UTC).isoformat(timespec="seconds"),
        ),
        Message("answered in time: within %(targets)s", targets=target_message(asked.targets)),
        Message("practice lines are not counted"),
    ]
    if asked.line is not None:
        found.append(Message("line %(line)s only", line=asked.line))
    return found


def summary_table(summary: Summary, language: str = "") -> tuple[OutTable, pa.RecordBatch]:
    """Return a summary as a table: a column for the period, two a dimension, one a measure.

    `language` is that of its reader, if it is for one.
    """
    asked = summary.asked
    columns = [
        OutColumn("period", "text", asked.period.value if asked.period else "the whole window"),
        OutColumn("row", "text", ROW_WORDS, labels=CODE),
    ]
    for dimension in asked.by:
        columns += _columns_by(dimension)
    for name in asked.measures:
        one = definition(name)
        kind: Kind = "number" if one.unit in MEANS else "whole"
        words = f"{one.title} ({one.unit}): {one.words}"
        said = Message("%(unit)s; %(words)s", unit=Message(one.unit), words=Message(one.words))
        columns.append(OutColumn(name, kind, words, title=one.title, said=said))
    table = OutTable(
        "Summary",
        columns,
        notes_of(summary),
        reconcile.reconcile(summary.total.sums, summary.recorded),
    )
    rows = []
    for row in summary.shown_rows:
        values: list[Any] = [row.period, row.kind]
        for dimension, value in zip(asked.by, row.values, strict=True):
            values += [_code(value), _label(summary, dimension, value, language)]
        figures = summary.figures(row)
        values += [figures[name] for name in asked.measures]
        rows.append(values)
    return table, batch_of(table, rows)


def _columns_by(dimension: Dimension) -> list[OutColumn]:
    name = dimension.value
    heading = Message(name.replace("_", " "))
    code = Message("%(name)s (code)", name=heading)
    return [
        OutColumn(name, "text", f"{name}: code", title=code, said="a code"),
        OutColumn(
            f"{name}_label",
            "text",
            f"{name}: words",
            title=heading,
            said="the code before it in words",
        ),
    ]


def _label(summary: Summary, dimension: Dimension, value: str, language: str) -> str:
    label = summary.label(dimension, value)
    if language and dimension is Dimension.LANGUAGE and label == value:
        with spoken_in(language):
            return language_name(value)
    return label


def _code(value: str) -> str:
    return _CODES.get(value, value)
