"""Tables as files: CSV, XLSX, JSON, Parquet. Written batch by batch, in constant memory.

A text that a spreadsheet could take for a formula gets an apostrophe in front; a plain number
with a sign does not, because it is harmless as a formula.
"""

import asyncio
import csv
import io
import json
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from app import words
from app.errors import Invalid
from app.statistics.exports.tables import Batches, Kind, OutTable, Said
from app.words.pages import N_

FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}
# The most rows that an XLSX sheet holds, without the header.
_MOST_ROWS = 1_048_576 - 1
_FORMULA = re.compile(r"^[=+\-@\t\r\n]")
_NUMBER = re.compile(r"^[+-]?[0-9]+([.,][0-9]+)?$")
# One thread is enough: an export runs beside other work.
pa.set_cpu_count(1)
# The size of a piece of a file, in bytes.
PIECE = 1 << 20


def safe(text: str) -> str:
    """Return the text so that no spreadsheet evaluates it as a formula."""
    return "'" + text if _FORMULA.match(text) and not _NUMBER.match(text) else text


async def write(table: OutTable, batches: Batches, kind: str) -> AsyncIterator[bytes]:
    """Yield the file, piece by piece; one piece for each batch, so that progress can be shown."""
    # In a thread: a busy day takes half a second, and callers must not wait for it.
    writer = await asyncio.to_thread(_WRITERS[kind], table)
    yield await asyncio.to_thread(writer.begin)
    async for batch in batches:
        yield await asyncio.to_thread(writer.batch, batch)
    pieces = await asyncio.to_thread(writer.end)
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece


class _Buffer(io.RawIOBase):
    """A file that is emptied while it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += memoryview(data)
        return len(data)

    def take(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        return held


class CsvWriter:
    """Writes CSV: definitions as comments on top, one header, then a line for each row."""

    def __init__(self, table: OutTable) -> None:
        self._table = table
        self._buffer = _Buffer()
        self._schema = pa.schema([(c.name, self._type(c.kind)) for c in table.columns])
        self._options = pa_csv.WriteOptions(include_header=False, quoting_style="needed")

    @staticmethod
    def _type(kind: Kind) -> pa.DataType:
        return {"whole": pa.int64(), "number": pa.float64(), "yes_no": pa.bool_()}.get(
            kind, pa.string()
        )

    def begin(self) -> bytes:
        out = io.StringIO()
        table = self._table
        comments = [table.say(one) for one in (table.title, *table.notes)]
        comments += [f"{table.say(line.words)}: {line.number}" for line in table.reconciliation]
        comments += [table.described(column) for column in table.columns]
        for one in comments:
            out.write("# " + one.replace('"', "'").replace("\n", " ") + "\n")
        headings = [safe(table.heading(column)) for column in table.columns]
        csv.writer(out, lineterminator="\n").writerow(headings)
        return out.getvalue().encode()

    def batch(self, batch: pa.RecordBatch) -> bytes:
        arrays = []
        for column, array in zip(self._table.columns, batch.columns, strict=True):
            if column.kind in ("instant", "wall"):
                arrays.append(_iso(array, zulu=column.kind == "instant"))
            elif column.kind == "counts":
                cells = [safe(_counted(v)) for v in array.to_pylist()]
                arrays.append(pa.array(cells, pa.string()))
            elif column.kind == "texts":
                arrays.append(_safe_array(_joined(array)))
            elif column.kind == "text":
                arrays.append(_safe_array(array))
            else:
                arrays.append(array)
        ready = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        pa_csv.write_csv(ready, self._buffer, self._options)
        return self._buffer.take()

    def end(self) -> Iterator[bytes]:
        return iter(())


_DAY = 86_400


def _iso(array: pa.Array, *, zulu: bool) -> pa.Array:
    """Return instants as ISO 8601, all at once: days are looked up, times of day computed."""
    count = len(array)
    valid = np.asarray(array.is_valid())
    whole = array.cast(pa.int64())
    least = pc.min(whole).as_py() or 0
    seconds = np.asarray(whole.fill_null(least))
    days, first = seconds // _DAY, least // _DAY
    last = int(days.max(initial=first))
    texts = b"".join(str(np.datetime64(day, "D")).encode() for day in range(first, last + 1))
    width = 20 if zulu else 19
    text = np.empty((count, width), dtype=np.uint8)
    if count:
        text[:, :10] = np.frombuffer(texts, dtype=np.uint8).reshape(-1, 10)[days - first]
    rest = seconds % _DAY
    for column, value in ((11, rest // 3600), (14, rest // 60 % 60), (17, rest % 60)):
        text[:, column] = 48 + value // 10
        text[:, column + 1] = 48 + value % 10
    text[:, 10], text[:, 13], text[:, 16] = ord("T"), ord(":"), ord(":")
    if zulu:
        text[:, 19] = ord("Z")
    offsets = np.arange(0, width * (count + 1), width, dtype=np.int32)
    known = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    return pa.Array.from_buffers(
        pa.string(),
        count,
        [known, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text.tobytes())],
    )


def _joined(array: pa.Array) -> pa.Array:
    return pc.binary_join(array, ";")


def _safe_array(array: pa.Array) -> pa.Array:
    """Return the texts made safe; each distinct text is checked once."""
    coded = array.dictionary_encode() if not pa.types.is_dictionary(array.type) else array
    words = coded.dictionary.to_pylist()
    safer = [w if w is None else safe(w) for w in words]
    if safer == words:
        return array
    return pc.take(pa.array(safer, type=pa.string()), coded.indices)


class JsonWriter:
    """Writes one JSON object: definitions, notes, reconciliation, rows."""

    def __init__(self, table: OutTable) -> None:
        self._table = table
        self._counts = [c.name for c in table.columns if c.kind == "counts"]
        self._first = True

    def begin(self) -> bytes:
        table = self._table
        head: dict[str, Any] = {
            "title": table.say(table.title),
            "notes": [table.say(note) for note in table.notes],
            "definitions": {c.name: table.definition(c) for c in table.columns},
            "reconciliation": [
                {"words": table.say(line.words), "number": line.number}
                for line in table.reconciliation
            ],
        }
        if table.language:
            head["language"] = table.language
            head["headings"] = {c.name: table.heading(c) for c in table.columns}
        return (json.dumps(head, ensure_ascii=False)[:-1] + ', "rows": [').encode()

    def batch(self, batch: pa.RecordBatch) -> bytes:
        texts = []
        for row in batch.to_pylist():
            plain = {name: _plain(value) for name, value in row.items()}
            for name in self._counts:
                plain[name] = dict(plain[name] or ())
            texts.append(json.dumps(plain, ensure_ascii=False))
        if not texts:
            return b""
        lead = "\n" if self._first else ",\n"
        self._first = False
        return (lead + ",\n".join(texts)).encode()

    def end(self) -> Iterator[bytes]:
        return iter((b"\n]}\n",))


def _counted(pairs: Any) -> str:
    """Return words with their numbers, for one cell."""
    return "; ".join(f"{word} {n}" for word, n in pairs or ())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value


class ParquetWriter:
    """Writes Parquet: real types, with each column's definition in its metadata."""

    def __init__(self, table: OutTable) -> None:
        import pyarrow.parquet as pq

        self._buffer = _Buffer()
        schema = table.schema.with_metadata(
            {
                "title": table.say(table.title),
                "notes": "\n".join(table.say(note) for note in table.notes),
                "reconciliation": "\n".join(
                    f"{table.say(r.words)}: {r.number}" for r in table.reconciliation
                ),
            }
        )
        # A table of distinct values helps words and counts; ids and instants hardly ever repeat.
        repeated = [
            f"{c.name}.list.element" if c.kind == "texts" else c.name
            for c in table.columns
            if c.kind not in ("id", "instant", "wall", "counts")
        ]
        self._writer = pq.ParquetWriter(
            self._buffer, schema, compression="zstd", use_dictionary=repeated
        )
        self._schema = schema
        self._held: list[pa.RecordBatch] = []
        self._rows = 0

    def begin(self) -> bytes:
        return self._buffer.take()

    def batch(self, batch: pa.RecordBatch) -> bytes:
        self._held.append(batch)
        self._rows += batch.num_rows
        # Row groups large enough for readers and small enough for memory.
        return self._flush() if self._rows >= 20_000 else b""

    def _flush(self) -> bytes:
        if self._held:
            whole = pa.Table.from_batches(self._held).cast(self._schema)
            self._writer.write_table(whole)
            self._held, self._rows = [], 0
            del whole
            pa.default_memory_pool().release_unused()
        return self._buffer.take()

    def end(self) -> Iterator[bytes]:
        piece = self._flush()
        self._writer.close()
        return iter((piece + self._buffer.take(),))


class XlsxWriter:
    """Writes XLSX: real numbers and times, a frozen header, the definitions on a separate sheet."""

    def __init__(self, table: OutTable) -> None:
        import xlsxwriter

        self._table = table
        self._folder = tempfile.TemporaryDirectory(prefix="hl")
        self._path = Path(self._folder.name) / "file.xlsx"
        self._memory = io.BytesIO()
        self._book = xlsxwriter.Workbook(
            self._memory if table.sealed else str(self._path),
            {
                "constant_memory": not table.sealed,
                "in_memory": table.sealed,
                "tmpdir": self._folder.name,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "default_date_format": "yyyy-mm-dd hh:mm:ss",
            },
        )
        self._sheet = self._add_sheet(N_("Data"))
        self._formats = {
            "number": self._book.add_format({"num_format": "0.000"}),
            "whole": self._book.add_format({"num_format": "0"}),
        }
        self._row = 0

    def _add_sheet(self, name: str) -> Any:
        # A spreadsheet allows 31 letters, and none of these.
        sheet = self._book.add_worksheet(re.sub(r"[\[\]:*?/\\']", " ", self._table.say(name))[:31])
        if self._table.language and words.direction(self._table.language) == "rtl":
            sheet.right_to_left()
        return sheet

    def begin(self) -> bytes:
        bold = self._book.add_format({"bold": True, "bottom": 1})
        self._sheet.freeze_panes(1, 0)
        for n, column in enumerate(self._table.columns):
            heading = self._table.heading(column)
            width = 20 if column.kind in ("instant", "wall") else max(len(heading) + 2, 10)
            self._sheet.set_column(n, n, width)
            self._sheet.write_string(0, n, heading, bold)
        self._row = 1
        return b""

    def batch(self, batch: pa.RecordBatch) -> bytes:
        if self._row + batch.num_rows > _MOST_ROWS + 1:
            self._book.close()
            raise Invalid(
                "An XLSX sheet holds %(most)s rows. Choose a shorter window, CSV or Parquet.",
                most=_MOST_ROWS,
            )
        columns = [array.to_pylist() for array in batch.columns]
        kinds = [column.kind for column in self._table.columns]
        for values in zip(*columns, strict=True):
            for n, (value, kind) in enumerate(zip(values, kinds, strict=True)):
                self._cell(n, value, kind)
            self._row += 1
        return b""

    def _cell(self, n: int, value: Any, kind: Kind) -> None:
        if value is None:
            return
        if kind in ("instant", "wall"):
            self._sheet.write_datetime(self._row, n, value.replace(tzinfo=None))
        elif kind in ("whole", "number"):
            self._sheet.write_number(self._row, n, value, self._formats[kind])
        elif kind == "yes_no":
            self._sheet.write_boolean(self._row, n, value)
        else:
            if kind == "counts":
                value = _counted(value)
            text = ";".join(v for v in value if v) if kind == "texts" else value
            self._sheet.write_string(self._row, n, safe(text))

    def end(self) -> Iterator[bytes]:
        self._define()
        self._tell_about()
        self._book.close()
        self._memory.seek(0)
        with self._memory if self._table.sealed else self._path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece
        self._folder.cleanup()

    def _define(self) -> None:
        """Write the sheet of definitions; a reader also finds the heading of each column."""
        table, bold = self._table, self._book.add_format({"bold": True})
        sheet = self._add_sheet(N_("Definitions"))
        sheet.freeze_panes(1, 0)
        rows: list[tuple[str, ...]] = [("column", "definition")]
        rows += [(c.name, table.definition(c)) for c in table.columns]
        if table.language:
            head = [table.say(one) for one in (N_("column"), N_("heading"), N_("definition"))]
            named = [(c.name, table.heading(c), table.definition(c)) for c in table.columns]
            rows = [tuple(head), *named]
        for n in range(len(rows[0]) - 1):
            sheet.set_column(n, n, 32)
        sheet.set_column(len(rows[0]) - 1, len(rows[0]) - 1, 120)
        for n, row in enumerate(rows):
            for place, text in enumerate(row):
                sheet.write_string(n, place, text, bold if place == 0 else None)

    def _tell_about(self) -> None:
        table, sheet = self._table, self._add_sheet(N_("About"))
        sheet.set_column(0, 0, 110)
        lines: list[tuple[Said, int | None]] = [(table.title, None)]
        lines += [(note, None) for note in table.notes]
        lines += [(line.words, line.number) for line in table.reconciliation]
        for n, (text, number) in enumerate(lines):
            sheet.write_string(n, 0, table.say(text))
            if number is not None:
                sheet.write_number(n, 1, number)


_WRITERS: dict[str, Any] = {
    "csv": CsvWriter,
    "json": JsonWriter,
    "parquet": ParquetWriter,
    "xlsx": XlsxWriter,
}
__all__ = ["FORMATS", "UTC", "write"]
