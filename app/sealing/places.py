"""Where sealed values and keyed hashes are stored, found from the models."""

import base64
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Column, MetaData, Table

from app.database.base import CARRIED, SEALED

# The tables of records, by the word that stands in `subject_kind`.
_RECORDS = {"contact": "contacts", "case": "cases", "referral": "referrals"}


class Shape(StrEnum):
    """How a column holds what is sealed."""

    # One value.
    BYTES = "bytes"
    # A JSON object of base64, by the path of the question.
    ANSWERS = "answers"
    # One answer of such an object, as base64.
    ANSWER = "answer"


@dataclass(frozen=True)
class SealedColumn:
    """A column whose values are sealed."""

    table: str
    column: str
    keys: tuple[str, ...]
    shape: Shape
    # The column with the id to which a value is bound.
    row: str

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"

    @property
    def number(self) -> str:
        """SQL for the number of the key, of one value: `v` if there are several in a row."""
        if self.shape is Shape.BYTES:
            # A part of the value only: a document is not read whole for it.
            return f"get_byte(substring({self.column} FROM 1 FOR 2), 1)"
        value = "v.value" if self.shape is Shape.ANSWERS else self.column
        return f"get_byte(decode(left({value}, 4), 'base64'), 1)"

    @property
    def source(self) -> str:
        """SQL for the values, each with its row."""
        if self.shape is Shape.ANSWERS:
            return f"{self.table}, jsonb_each_text({self.column}) AS v"
        return f"(SELECT * FROM {self.table} WHERE {self.column} IS NOT NULL) AS {self.table}"

    @property
    def of_another_key(self) -> str:
        """SQL for the condition that a row holds a value of another key than `:current`."""
        if self.shape is Shape.ANSWERS:
            return (
                f"EXISTS (SELECT FROM jsonb_each_text({self.column}) AS v "
                f"WHERE {self.number} <> :current)"
            )
        return f"{self.column} IS NOT NULL AND {self.number} <> :current"

    def also(self) -> tuple[str, ...]:
        """Return the columns besides the value that are needed to open it."""
        more = ("subject_kind", "path") if self.shape is Shape.ANSWER else ()
        return (*self.keys, self.row, *more)

    def bound_to(self, row: dict[str, Any], path: str = "") -> dict[str, Any]:
        """Return to what a value of a row is bound: table, column and row."""
        bound: UUID = row[self.row]
        if self.shape is Shape.BYTES:
            return {"table": self.table, "column": self.column, "row": bound}
        if self.shape is Shape.ANSWERS:
            table = "contacts" if self.row == "contact_id" else self.table
            return {"table": table, "column": path, "row": bound}
        return {"table": _RECORDS[row["subject_kind"]], "column": row["path"], "row": bound}


def sealed_places(metadata: MetaData) -> list[SealedColumn]:
    """Return every column with sealed values."""
    found = []
    for table in metadata.sorted_tables:
        for column in table.columns:
            shape = column.info.get(SEALED)
            if shape is not None:
                found.append(_place(table, column, Shape(shape)))
    return found


def _place(table: Table, column: Column[Any], shape: Shape) -> SealedColumn:
    keys = tuple(key.name for key in table.primary_key.columns)
    row = column.info.get("row", "id")
    assert row in table.columns, f"{table.name}.{column.name} is bound to no row"
    return SealedColumn(table.name, column.name, keys, shape, row)


def hashed_columns(metadata: MetaData) -> dict[str, list[str]]:
    """Return every column with keyed hashes, as `table.column`, by what is hashed.

    Columns with the same kind of hash are compared with each other: a value is carried to the
    next generation in all of them at once.
    """
    found: dict[str, list[str]] = {}
    for table in metadata.sorted_tables:
        for column in table.columns:
            kind = column.info.get(CARRIED)
            if kind is not None:
                name = f"{table.name}.{column.name}"
                found.setdefault(kind or name, []).append(name)
    return found


def values_of(place: SealedColumn, stored: Any) -> dict[str, bytes]:
    """Return the sealed values in a column, by the path of the question."""
    if place.shape is Shape.BYTES:
        return {"": bytes(stored)}
    if place.shape is Shape.ANSWER:
        return {"": base64.b64decode(stored)}
    return {path: base64.b64decode(text) for path, text in stored.items()}


def stored_as(place: SealedColumn, values: dict[str, bytes]) -> Any:
    """Return sealed values as the column holds them."""
    if place.shape is Shape.BYTES:
        return values[""]
    texts = {path: base64.b64encode(value).decode() for path, value in values.items()}
    return texts[""] if place.shape is Shape.ANSWER else json.dumps(texts)
