"""Tables of single calls and contacts, from facts as they are packed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from app.errors import Message
from app.statistics.exports.tables import Kind, OutColumn, OutTable, type_of
from app.statistics.facts.columns import IDS, Packed
from app.statistics.facts.facts import COLUMNS
from app.statistics.facts.unknowns import NONE, NOT_SAID, Unknown

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
                code=f"`{Unknown.NOT_RECORDED}`",
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
        pa.array(at, type=pa.int64()).cast(type_of("instant")),
        pa.array(local, type=pa.int64()).cast(type_of("wall")),
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
    if one.kind == IDS:
        return _ids(one.data, records)
    if name in _TIMES:
        values = numbers[name].astype(np.int64)
        missing = values < 0
        return pa.array(at + values, mask=missing, type=pa.int64()).cast(type_of("instant"))
    if name in _YES_NO:
        return pa.array(numbers[name] == 1, mask=numbers[name] < 0)
    if name in numbers:
        values = numbers[name].astype(np.int64)
        return pa.array(values, mask=values < 0)
    words = [
        Unknown.NOT_RECORDED.value if w == NOT_SAID else None if w == NONE else w
        for w in one.words or []
    ]
    codes = _numbers(one).astype(np.int32)
    if one.kind.startswith("word:"):
        return pa.DictionaryArray.from_arrays(
            pa.array(codes), pa.array(words, type=pa.string())
        ).dictionary_decode()
    flat = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(words, type=pa.string()))
    ends = _numbers(Packed("", "words:u4", None, None, one.offsets or b""))
    edges = np.concatenate([[0], ends]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(edges), flat.dictionary_decode())
