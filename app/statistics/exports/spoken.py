"""A file of figures in the language of its reader: headings, definitions, and codes in words.

What a program reads stays as it is: each code keeps its column, and its words stand in one of
their own beside it (`outcome`, `outcome_label`). Numbers, instants and ids have no language.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from app.errors import Message
from app.statistics.dimensions import COLUMN, Dimension
from app.statistics.exports.tables import CODE, SENTENCE, Batches, OutColumn, OutTable, type_of
from app.words.pages import code_words, language_name, said, spoken_in

# Returns the words of a code of a dimension.
Label = Callable[[str, str], str]

# Ages are years and not bands, and a person's name stands in no file of single calls.
_WITHOUT = {"ages", "counsellor"}


def dimensions_of_facts() -> dict[str, str]:
    """Return the dimension whose labels the codes of a fact have, by the name of the fact."""
    found: dict[str, str] = {}
    for dimension, column in COLUMN.items():
        # Of two dimensions, the first one has the codes as they are stored.
        if column not in _WITHOUT:
            found.setdefault(column, dimension.value)
    return found


class Spoken:
    """A table as it is read in a language, and its batches."""

    def __init__(self, table: OutTable, language: str, label: Label) -> None:
        self._before, self._language, self._label = table, language, label
        self.table = replace(table, language=language, columns=list(self._columns()))

    def _columns(self) -> Iterator[OutColumn]:
        for column in self._before.columns:
            if column.labels in ("", SENTENCE):
                yield column
                continue
            heading = column.title or Message(column.name.replace("_", " "))
            yield replace(column, title=Message("%(name)s (code)", name=heading))
            yield replace(
                column,
                name=f"{column.name}_label",
                kind="text" if column.kind == "id" else column.kind,
                title=heading,
                said=Message("the code before it in words"),
            )

    async def batches(self, given: Batches) -> Batches:
        async for batch in given:
            # In a thread: a busy day takes a moment, and callers must not wait for it.
            yield await asyncio.to_thread(self._batch, batch)

    def _batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        arrays: list[pa.Array] = []
        with spoken_in(self._language):
            for column, array in zip(self._before.columns, batch.columns, strict=True):
                if column.labels != SENTENCE:
                    arrays.append(array)
                if column.labels:
                    arrays.append(self._in_words(column, array))
        return pa.RecordBatch.from_arrays(arrays, schema=self.table.schema)

    def _in_words(self, column: OutColumn, array: pa.Array) -> pa.Array:
        if column.kind == "counts":
            counted = [
                None if pairs is None else [(self._words(column, word), n) for word, n in pairs]
                for pairs in array.to_pylist()
            ]
            return pa.array(counted, type=type_of(column.kind))
        if column.kind != "texts":
            return self._mapped(column, array)
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_pylist()
        edges = [0]
        for length in lengths:
            edges.append(edges[-1] + length)
        return pa.ListArray.from_arrays(
            pa.array(edges, pa.int32()), self._mapped(column, array.flatten())
        )

    def _mapped(self, column: OutColumn, array: pa.Array) -> pa.Array:
        """Return the words of texts; each distinct text is looked up once."""
        coded = array.dictionary_encode() if not pa.types.is_dictionary(array.type) else array
        texts = [None if one is None else self._words(column, one) for one in _known(coded)]
        return pc.take(pa.array(texts, type=pa.string()), coded.indices)

    def _words(self, column: OutColumn, code: str) -> str:
        if column.labels == SENTENCE:
            return said(code)
        if column.labels == CODE:
            return code_words(code)
        found = self._label(column.labels, code)
        if column.labels == Dimension.LANGUAGE and found == code:
            return language_name(code)
        return found


def _known(coded: Any) -> list[str | None]:
    found: list[str | None] = coded.dictionary.to_pylist()
    return found
