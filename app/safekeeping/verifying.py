"""Comparing the logs with what anchors say: what is missing or altered since each of them.

A log is read once, however many anchors a file has: `_read`.
"""

import asyncio
import itertools
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import Invalid, Message
from app.safekeeping.documents import Anchored, Heads, breaks, ranges, read, spans
from app.safekeeping.time_stamps import is_stamped
from app.settings import Settings
from app.staff.audit import CHAINS
from app.work import Work

# In bytes: some years of anchors, one a day.
LARGEST_FILE = 16 * 1024 * 1024
# Numbers of rows that one statement asks for.
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Finding:
    """What is wrong with one log since an anchor, as sentences for the person who checks."""

    at: str
    log: str
    sentence: Message


class Verdict(NamedTuple):
    """What a file of anchors says of the logs: how many there are, when the last one was made, and
    what is wrong."""

    anchors: int
    last: str
    findings: list[Finding]

    @property
    def is_whole(self) -> bool:
        return not self.findings


class _Log(NamedTuple):
    """What the database holds of one log, as far as the anchors of a file reach."""

    # Hashes by number, of the rows that some anchor names.
    hashes: dict[int, str]
    # Rows up to each number that some anchor calls the newest.
    counts: dict[int, int]
    # First and last number of each stretch that is missing, of a log that is numbered without gaps.
    gaps: list[tuple[int, int]]


class _Compared(NamedTuple):
    missing: list[int]
    altered: list[int]
    whole: list[int]
    lacks: int


async def verdict_of(work: Work, file: bytes) -> Verdict:
    """Return what a file of anchors, or one that was mailed, says of the logs and of itself.

    Raises Invalid if it holds no anchor, or cannot be read.
    """
    try:
        # A large file takes a moment, and calls are answered meanwhile.
        kept = await asyncio.to_thread(lambda: read(file.decode()))
    except UnicodeDecodeError:
        raise Invalid("The file holds no anchor.") from None
    findings = await compare(work.session, kept)
    findings += await asyncio.to_thread(_with_wrong_time_stamps, work.settings, kept)
    return Verdict(len(kept.documents), kept.documents[-1].at, findings)


def _with_wrong_time_stamps(settings: Settings, kept: Anchored) -> list[Finding]:
    certificate, found = settings.anchor_time_stamp_certificate, []
    for document in kept.documents if certificate is not None else ():
        proof = kept.time_stamps.get(document.digest)
        if proof is not None and not is_stamped(settings, document.text.encode(), proof):
            found.append(Finding(document.at, "anchors", Message("Its time stamp does not fit.")))
    return found


async def compare(session: AsyncSession, anchored: Anchored) -> list[Finding]:
    """Return what of the logs is missing or altered since these anchors.

    Raises Invalid for a log that this program does not have.
    """
    found = [
        Finding(
            at,
            "anchors",
            Message("The anchor before this one is missing from the file, or was altered."),
        )
        for at in breaks(anchored.documents)
    ]
    named: dict[str, list[Heads]] = {}
    for document in anchored.documents:
        for log, heads in document.logs.items():
            if log not in CHAINS:
                raise Invalid("The file names a log that this program does not have.")
            named.setdefault(log, []).append(heads)
    logs = {log: await _read(session, log, heads) for log, heads in named.items()}
    # By log, up to where it is as it was.
    whole: dict[str, int] = {}
    for document in anchored.documents:
        for log, heads in document.logs.items():
            one = _compared(logs[log], heads)
            sentences = _sentences(log, logs[log], heads, one, whole.get(log, 0))
            found += [Finding(document.at, log, sentence) for sentence in sentences]
            whole[log] = max(one.whole, default=whole.get(log, 0))
    return found


def _sentences(log: str, known: _Log, heads: Heads, one: _Compared, whole: int) -> list[Message]:
    said = []
    if not CHAINS[log]:
        gaps = [(a, min(b, heads.newest)) for a, b in known.gaps if a <= heads.newest]
        if gaps:
            said.append(Message("Entries %(numbers)s are missing.", numbers=spans(gaps)))
        elif one.lacks > 0:
            said.append(Message("%(count)s entries are missing.", count=one.lacks))
        if one.altered:
            first, last = whole + 1, one.altered[0]
            said.append(
                Message("An entry from %(first)s to %(last)s was altered.", first=first, last=last)
            )
        return said
    if one.missing:
        said.append(
            Message(
                "Entries %(numbers)s are missing, each the last of its chain when the anchor was "
                "made.",
                numbers=ranges(one.missing),
            )
        )
    if one.lacks > len(one.missing):
        said.append(
            Message(
                "%(count)s entries up to number %(newest)s are missing in all.",
                count=one.lacks,
                newest=heads.newest,
            )
        )
    if one.altered:
        said.append(
            Message(
                "The chains that ended with the entries %(numbers)s were altered.",
                numbers=ranges(one.altered),
            )
        )
    return said


def _compared(known: _Log, heads: Heads) -> _Compared:
    hashes = known.hashes
    return _Compared(
        sorted(n for n in heads.heads if n not in hashes),
        sorted(n for n, hash_ in heads.heads.items() if hashes.get(n, hash_) != hash_),
        sorted(n for n, hash_ in heads.heads.items() if hashes.get(n) == hash_),
        # A row that was being written at that moment may have come later: there may be more.
        max(0, heads.entries - known.counts[heads.newest]),
    )


async def _read(session: AsyncSession, log: str, anchors: list[Heads]) -> _Log:
    """Read a log once for all anchors of a file: it may have millions of rows."""
    named = sorted({number for one in anchors for number in one.heads})
    hashes: dict[int, str] = {}
    for first in range(0, len(named), _AT_ONCE):
        rows = await session.execute(
            text(f"SELECT id, encode(hash, 'hex') FROM {log} WHERE id = ANY(:ids)"),
            {"ids": named[first : first + _AT_ONCE]},
        )
        hashes |= {int(number): str(hash_) for number, hash_ in rows}
    ends = sorted({one.newest for one in anchors})
    rows = await session.execute(
        text(
            f"SELECT width_bucket(id - 1, CAST(:ends AS bigint[])), count(*) FROM {log} "
            "WHERE id <= :last GROUP BY 1"
        ),
        {"ends": ends, "last": ends[-1]},
    )
    by_end = {int(bucket): int(count) for bucket, count in rows}
    counts = itertools.accumulate(by_end.get(n, 0) for n in range(len(ends)))
    gaps = [] if CHAINS[log] else await _gaps(session, log, ends[-1])
    return _Log(hashes, dict(zip(ends, counts, strict=True)), gaps)


async def _gaps(session: AsyncSession, log: str, newest: int) -> list[tuple[int, int]]:
    """Return first and last of the missing numbers of a log that is numbered without gaps."""
    rows = await session.execute(
        text(
            "SELECT before + 1, least(id - 1, :newest) FROM ("
            f" SELECT id, lag(id, 1, CAST(0 AS bigint)) OVER (ORDER BY id) AS before FROM {log}"
            ") AS numbered WHERE id > before + 1 AND before < :newest ORDER BY id"
        ),
        {"newest": newest},
    )
    found = [(int(first), int(last)) for first, last in rows]
    last = await session.scalar(text(f"SELECT coalesce(max(id), 0) FROM {log}")) or 0
    return [*found, (last + 1, newest)] if last < newest else found
