"""Tables for export: columns with a type and a definition, and rows in batches.

Every export, in any format, is one of these.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from app.errors import Message
from app.statistics import staff_measures
from app.statistics.counting import reconcile
from app.statistics.counting.labels import OVERLAP
from app.statistics.counting.summary import Summary
from app.statistics.counting.targets import target_message
from app.statistics.dimensions import COLUMN, Dimension
from app.statistics.exports.files import File
from app.statistics.facts.columns import NONE, NOT_SAID, Packed
from app.statistics.facts.facts import COLUMNS
from app.statistics.measures import MEANS, NAMES, definition
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
NOT_RECORDED = "not_recorded"
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
    reconciliation: list[reconcile.Line] = field(default_factory=list)
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
    return {NOT_SAID: NOT_RECORDED, NONE: "does_not_apply", OVERLAP: "overlap"}.get(value, value)


# -- single calls and contacts -------------------------------------------------------------------

_TIMES = {
    "queued": ("queued_at", "when it first entered the queue"),
    "answered": ("answered_at", "when caller and counsellor were both in the conference"),
    "ended": ("ended_at", "when it ended"),
}
_SECONDS = {
    "first_answer": "first_answer_seconds",
    "wait": "wait_seconds",
    "talk": "talk_seconds",
    "hold": "hold_seconds",
    "wrap": "wrap_up_seconds",
}
_COUNTS = {
    "offers": "offers",
    "missed": "missed_offers",
    "declined": "declined_offers",
    "transfers": "transfers",
    "returned": "returned_to_queue",
    "messages_of_child": "messages_of_child",
    "messages_of_helpline": "messages_of_helpline",
    "code": "code",
    "children": "children",
}
_YES_NO = ("is_call", "danger", "called_before", "left_typing")
_NAMES = {
    "sexes": "sexes",
    "ages": "ages",
    "suggested": "suggested_urgency",
    "contact": "contact_state",
}


def record_columns(
    parts: tuple[str, ...], labels: Mapping[str, str] | None = None
) -> list[OutColumn]:
    """Return the columns of single calls, or of calls and contacts together.

    `labels` has the dimension whose labels the codes of a fact have.
    """
    labels = labels or {}
    columns = [
        OutColumn("id", "id", COLUMNS["id"].words),
        OutColumn("arrived_at", "instant", "when it arrived or was taken, in UTC"),
        OutColumn("arrived_local", "wall", "the same in the line's local time"),
    ]
    for name, one in COLUMNS.items():
        if one.part not in parts or name in ("id", "at"):
            continue
        if name in _TIMES:
            at, words = _TIMES[name]
            utc = Message("%(words)s, in UTC", words=Message(words))
            columns.append(OutColumn(at, "instant", words + ", in UTC", said=utc))
        elif name in _SECONDS:
            columns.append(OutColumn(_SECONDS[name], "whole", one.words))
        elif name in _COUNTS:
            columns.append(OutColumn(_COUNTS[name], "whole", one.words))
        elif name in _YES_NO:
            columns.append(OutColumn(name, "yes_no", _yes_no(one.words)))
        elif one.kind == "raw":
            columns.append(OutColumn(name, "id", one.words))
        else:
            kind: Kind = "texts" if one.kind == "words" else "text"
            said = Message(
                "%(words)s; empty: there is none, %(code)s: not recorded",
                words=Message(one.words),
                code=f"`{NOT_RECORDED}`",
            )
            column = OutColumn(_NAMES.get(name, name), kind, str(said), said=said)
            columns.append(replace(column, labels=labels.get(name, "")))
    return columns


def _yes_no(words: str) -> str:
    return (
        words.replace("1 if", "true if")
        .replace(", 0 if not", ", false if not")
        .replace("1 for", "true for")
        .replace("0 for", "false for")
        .replace(", -1 unknown", "; empty: not known")
    )


def record_batch(
    table: OutTable,
    records: int,
    packed: dict[str, Packed],
    zones: Mapping[str, ZoneInfo],
    country: ZoneInfo,
    keep: dict[str, tuple[int, int]],
) -> pa.RecordBatch:
    """Return the records of a day for export; `keep` is the window of each line (1970 seconds)."""
    numbers = {n: _numbers(p) for n, p in packed.items() if p.kind.startswith("number")}
    at = numbers["at"].astype(np.int64)
    lines = packed["line"]
    codes = _numbers(lines)
    local = np.zeros(records, dtype=np.int64)
    inside = np.zeros(records, dtype=bool)
    for n, number in enumerate(lines.words or []):
        mask = codes == n
        zone = zones.get(number, country)
        local[mask] = at[mask] + _offsets(at[mask], zone)
        since, until = keep[number]
        inside[mask] = (at[mask] >= since) & (at[mask] < until)
    arrays: list[pa.Array] = [
        _ids(packed["id"].data, records),
        pa.array(at, type=pa.int64()).cast(_TYPES["instant"]),
        pa.array(local, type=pa.int64()).cast(_TYPES["wall"]),
    ]
    for name, one in packed.items():
        if name in ("id", "at"):
            continue
        arrays.append(_array(name, one, numbers, at, records))
    batch = pa.RecordBatch.from_arrays(arrays, schema=table.schema)
    return batch if inside.all() else batch.filter(pa.array(inside))


def _numbers(packed: Packed) -> Any:
    return np.frombuffer(
        packed.data, dtype=np.dtype(packed.kind.partition(":")[2]).newbyteorder("<")
    )


def _offsets(at: Any, zone: ZoneInfo) -> Any:
    """Return the seconds east of UTC at each instant."""
    quarters, place = np.unique(at // 900, return_inverse=True)
    found = [
        int(
            (
                datetime.fromtimestamp(int(q) * 900, UTC).astimezone(zone).utcoffset() or _ZERO
            ).total_seconds()
        )
        for q in quarters
    ]
    return np.array(found, dtype=np.int64)[place] if len(found) else np.zeros(0, dtype=np.int64)


_ZERO = UTC.utcoffset(None)


# The places of the digits in the text of an id; the other places are dashes.
_DIGITS = np.array([n for n in range(36) if n not in (8, 13, 18, 23)])
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def _ids(data: bytes, records: int) -> pa.Array:
    """Return ids as text, all at once; an id of zeros becomes null."""
    raw = np.frombuffer(data, dtype=np.uint8).reshape(records, 16)
    text = np.full((records, 36), ord("-"), dtype=np.uint8)
    text[:, _DIGITS[0::2]] = _HEX[raw >> 4]
    text[:, _DIGITS[1::2]] = _HEX[raw & 15]
    offsets = np.arange(0, 36 * (records + 1), 36, dtype=np.int32)
    known = raw.any(axis=1)
    valid = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little").tobytes())
    return pa.Array.from_buffers(
        pa.string(),
        records,
        [valid, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text.tobytes())],
    )


def _array(name: str, one: Packed, numbers: Any, at: Any, records: int) -> pa.Array:
    if one.kind == "raw:16":
        return _ids(one.data, records)
    if name in _TIMES:
        values = numbers[name].astype(np.int64)
        missing = values < 0
        return pa.array(at + values, mask=missing, type=pa.int64()).cast(_TYPES["instant"])
    if name in _YES_NO:
        return pa.array(numbers[name] == 1, mask=numbers[name] < 0)
    if name in numbers:
        values = numbers[name].astype(np.int64)
        return pa.array(values, mask=values < 0)
    words = [NOT_RECORDED if w == NOT_SAID else None if w == NONE else w for w in one.words or []]
    codes = _numbers(one).astype(np.int32)
    if one.kind.startswith("word:"):
        return pa.DictionaryArray.from_arrays(
            pa.array(codes), pa.array(words, type=pa.string())
        ).dictionary_decode()
    flat = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(words, type=pa.string()))
    ends = _numbers(Packed("", "words:u4", None, None, one.offsets or b""))
    edges = np.concatenate([[0], ends]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(edges), flat.dictionary_decode())


# -- the data dictionary -------------------------------------------------------------------------


def dictionary(more: dict[str, list[OutColumn]]) -> list[tuple[str, str, Message]]:
    """Return every column that a file may have: file, name, words."""
    found: list[tuple[str, str, Message]] = [
        (File.SUMMARY, name, Message(definition(name).words)) for name in NAMES
    ]
    found += [
        (File.SUMMARY, d.value, Message("dimension, from the fact %(fact)s", fact=f"`{COLUMN[d]}`"))
        for d in Dimension
    ]
    for file, parts in (
        (File.CALLS, ("call", "staff")),
        (File.RECORDS, ("call", "staff", "record")),
    ):
        found += [(file, column.name, _meaning(column)) for column in record_columns(parts)]
    of_counsellors = staff_measures.STAFF_MEASURES | staff_measures.AT_ONCE
    found += [(File.COUNSELLORS, name, Message(words)) for name, words in of_counsellors.items()]
    found += [(file, c.name, _meaning(c)) for file, columns in more.items() for c in columns]
    return found


def _meaning(column: OutColumn) -> Message:
    return column.said if isinstance(column.said, Message) else Message(column.words)
