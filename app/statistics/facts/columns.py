"""Columns of facts: how they are packed, stored, and joined again. Pure, apart from numpy.

A column holds numbers, codes of words, or a list of codes for each record. Each day has its own
list of words; while a summary is being made, `Words` gives every word one number.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.statistics.facts.unknowns import MISSING

Kind = Literal["number", "word", "words", "raw"]
# How a column of ids is stored.
IDS = "raw:16"


class Packed(NamedTuple):
    """A column of one day, as it is stored."""

    name: str
    # `number:i2`, `word:u1`, `words:u1`, `raw:16`
    kind: str
    words: list[str] | None
    offsets: bytes | None
    data: bytes


def _small(values: list[int], low: int = 0) -> NDArray[Any]:
    array = np.asarray(values, dtype=np.int64)
    least = int(array.min(initial=low))
    most = int(array.max(initial=0))
    wide = np.promote_types(np.min_scalar_type(least), np.min_scalar_type(most))
    return array.astype(wide)


def _code(array: NDArray[Any]) -> str:
    return array.dtype.str.lstrip("<|=>")


def _bytes(array: NDArray[Any]) -> bytes:
    return array.astype(array.dtype.newbyteorder("<")).tobytes()


def pack(name: str, kind: Kind, values: list[Any]) -> Packed:
    """Pack the values of a day."""
    match kind:
        case "number":
            array = _small([MISSING if v is None else int(v) for v in values])
            return Packed(name, f"number:{_code(array)}", None, None, _bytes(array))
        case "raw":
            return Packed(name, IDS, None, None, b"".join(values))
        case "word":
            words = sorted(set(values))
            known = {word: n for n, word in enumerate(words)}
            array = _small([known[v] for v in values])
            return Packed(name, f"word:{_code(array)}", words, None, _bytes(array))
        case "words":
            words = sorted({word for several in values for word in several})
            known = {word: n for n, word in enumerate(words)}
            array = _small([known[word] for several in values for word in several])
            ends = np.cumsum([len(several) for several in values], dtype=np.uint32)
            return Packed(name, f"words:{_code(array)}", words, _bytes(ends), _bytes(array))


@lru_cache
def _dtype(code: str) -> np.dtype[Any]:
    return np.dtype(code).newbyteorder("<")


def _array(code: str, data: bytes) -> NDArray[Any]:
    return np.frombuffer(data, dtype=_dtype(code))


def _joined(packed: list[Packed]) -> NDArray[Any]:
    """Return the data of several days as one array. Days of one kind are joined as they are."""
    arrays = [
        _array(kind.partition(":")[2], b"".join(p.data for p in some))
        for kind, some in groupby(packed, key=attrgetter("kind"))
    ]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


@dataclass
class Words:
    """The words of one column, each with its own number."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, word: str) -> int:
        return self.numbers.setdefault(word, len(self.numbers))

    def translate(self, words: list[str]) -> NDArray[np.int32]:
        return np.array([self.number(word) for word in words], dtype=np.int32)

    @property
    def list(self) -> list[str]:
        return list(self.numbers)


@dataclass(frozen=True)
class Several:
    """A list of codes for each record, as pairs of record number and code."""

    record: NDArray[np.int64]
    code: NDArray[np.int32]


@dataclass
class Block:
    """Some days of facts: columns by name, with words already numbered."""

    size: int
    numbers: dict[str, NDArray[Any]]
    codes: dict[str, NDArray[np.int32]]
    several: dict[str, Several]
    raw: dict[str, bytes]


def _numbered(packed: list[Packed], known: Words) -> list[NDArray[np.int32]]:
    """Return the codes of several days, each word with its own number."""
    parts = []
    for words, same in groupby(packed, key=attrgetter("words")):
        codes = _joined(list(same))
        if len(codes):
            parts.append(known.translate(words or [])[codes])
    return parts or [np.zeros(0, dtype=np.int32)]


def unpack(days: list[tuple[int, dict[str, Packed]]], words: dict[str, Words]) -> Block:
    """Join days into one block; each day is its number of records and its columns."""
    size = sum(records for records, _ in days)
    days = [(records, columns) for records, columns in days if records]
    block = Block(size, {}, {}, {}, {})
    for name in days[0][1] if days else ():
        packed = [columns[name] for _, columns in days]
        kind = packed[0].kind.partition(":")[0]
        if kind == "raw":
            block.raw[name] = b"".join(p.data for p in packed)
            continue
        if kind == "number":
            block.numbers[name] = _joined(packed)
            continue
        parts = _numbered(packed, words.setdefault(name, Words()))
        if kind == "word":
            block.codes[name] = np.concatenate(parts)
            continue
        records = []
        begin = 0
        for (count, _), p in zip(days, packed, strict=True):
            ends = _array("u4", p.offsets or b"").astype(np.int64)
            lengths = np.diff(ends, prepend=0)
            records.append(np.repeat(np.arange(begin, begin + count, dtype=np.int64), lengths))
            begin += count
        block.several[name] = Several(np.concatenate(records), np.concatenate(parts))
    return block
