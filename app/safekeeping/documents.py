"""The document of an anchor: the heads of the chains, as one line of JSON. Pure.

It holds numbers of rows, hashes and an instant: nothing of a call, a record or a person. Each one
names the digest of the one before, so that a file of them is a chain, too.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from app.errors import Invalid

_VERSION = 1
# The largest number of a row that PostgreSQL knows.
_MOST = 2**63 - 1
# What a line raises that was cut or made by another program.
_NOT_READ = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    binascii.Error,
)


@dataclass(frozen=True)
class Heads:
    """What an anchor says of one log."""

    # Rows up to the newest one, and its number.
    entries: int
    newest: int
    # The hash of the last row of each chain that had grown, by the number of the row.
    heads: dict[int, str]


@dataclass(frozen=True)
class Document:
    """One anchor as it went out."""

    at: str
    before: str | None
    logs: dict[str, Heads]
    text: str
    digest: str


@dataclass
class Anchored:
    """What a file of anchors holds: the documents in their order, and time stamps by digest."""

    documents: list[Document] = field(default_factory=list)
    time_stamps: dict[str, bytes] = field(default_factory=dict)


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def written(at: str, before: str | None, logs: dict[str, Heads]) -> Document:
    """Return the document of these heads."""
    text = json.dumps(
        {
            "anchor": _VERSION,
            "at": at,
            "before": before,
            "logs": {
                name: {
                    "entries": one.entries,
                    "newest": one.newest,
                    "heads": {str(number): one.heads[number] for number in sorted(one.heads)},
                }
                for name, one in logs.items()
            },
        },
        sort_keys=True,
        separators=(",", ":"),
    )
    return Document(at, before, logs, text, digest_of(text))


def line_of_time_stamp(digest: str, proof: bytes) -> str:
    """Return the line of a file that holds a time stamp of a document."""
    return json.dumps({"digest": digest, "time_stamp": base64.b64encode(proof).decode()})


def read(text: str) -> Anchored:
    """Read the anchors in a text: a file of them, or the attachment of a message.

    Lines that hold none are passed over. Raises Invalid if there is none, or one cannot be read.
    """
    found = Anchored()
    for line in text.splitlines():
        line = line.strip()
        if not line.startswith("{"):
            continue
        try:
            values = json.loads(line)
            if "anchor" in values:
                found.documents.append(_document(line, values))
            elif "time_stamp" in values:
                proof = base64.b64decode(values["time_stamp"], validate=True)
                found.time_stamps[str(values["digest"])] = proof
        except _NOT_READ:
            raise Invalid(
                "A line of the file is no anchor that this program wrote: it was cut or changed."
            ) from None
    if not found.documents:
        raise Invalid("The file holds no anchor.")
    return found


def _document(text: str, values: dict[str, Any]) -> Document:
    if values["anchor"] != _VERSION:
        raise Invalid("The file was written by a newer version of the program.")
    logs = {
        str(name): Heads(
            _number(one["entries"]),
            _number(one["newest"]),
            {_number(number): str(hash_) for number, hash_ in one["heads"].items()},
        )
        for name, one in values["logs"].items()
    }
    return Document(str(values["at"]), values["before"], logs, text, digest_of(text))


def _number(value: Any) -> int:
    """Return a number of rows, or of a row. Raises ValueError for one that none can have."""
    number = int(value)
    if not 0 <= number <= _MOST:
        raise ValueError("no number of a row")
    return number


def breaks(documents: Iterable[Document]) -> list[str]:
    """Return since when the file itself was changed: anchors that do not follow the one before."""
    found, before = [], None
    for one in documents:
        if before is not None and one.before != before:
            found.append(one.at)
        before = one.digest
    return found


def ranges(numbers: Iterable[int]) -> str:
    """Return numbers as a reader wants them: `7, 9-12`."""
    parts: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1] = (parts[-1][0], number)
        else:
            parts.append((number, number))
    return spans(parts)


def spans(parts: Iterable[tuple[int, int]]) -> str:
    """Return stretches of numbers in the same way."""
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)
