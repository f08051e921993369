"""Comparing the logs with what anchors say: what is missing or altered since each of them.

A log is read once, however many anchors a file has: `_read`. Entries that a rule has erased are
before the beginning of their log: they are not missing. An anchor shows whether they were old.
"""

import asyncio
import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import Invalid, Message
from app.safekeeping.documents import Anchored, Document, Heads, breaks, ranges, read, spans
from app.safekeeping.time_stamps import is_stamped
from app.settings import Settings
from app.staff.log_checks.chains import CHAINS
from app.staff.log_rows import LogBeginning
from app.work import Work

# In bytes: some years of anchors, one a day.
LARGEST_FILE = 16 * 1024 * 1024
# An entry that was being written when an anchor was made came after it, with an earlier instant.
_ON_THE_WAY = timedelta(days=1)
# Numbers of rows that one statement asks for.
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Finding:
    """What is wrong with one log since an anchor, as sentences for the person who checks."""

    at: str
    log: str
    sentence: Message


class Verdict(NamedTuple):
    """What a file of anchors says of the logs: how many there are, when the last one was made, how
    many are from before the beginning of a log, and what is wrong."""

    anchors: int
    last: str
    before: int
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
    # What was erased by a rule, the oldest part first.
    erased: list[LogBeginning]

    @property
    def begins_after(self) -> int:
        """The number of the last entry that was erased; 0 if none was."""
        return self.erased[-1].last_id if self.erased else 0


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
    logs = await _read_logs(work.session, kept)
    findings = _compare(logs, kept)
    findings += await asyncio.to_thread(_with_wrong_time_stamps, work.settings, kept)
    before = sum(_is_before(logs, document) for document in kept.documents)
    return Verdict(len(kept.documents), kept.documents[-1].at, before, findings)


def _is_before(logs: dict[str, _Log], document: Document) -> bool:
    """Return whether everything of a log that an anchor knew is erased by now."""
    return any(0 < heads.newest <= logs[log].begins_after for log, heads in document.logs.items())


def _with_wrong_time_stamps(settings: Settings, kept: Anchored) -> list[Finding]:
    certificate, found = settings.anchor_time_stamp_certificate, []
    for document in kept.documents if certificate is not None else ():
        proof = kept.time_stamps.get(document.digest)
        if proof is not None and not is_stamped(settings, document.text.encode(), proof):
            found.append(Finding(document.at, "anchors", Message("Its time stamp does not fit.")))
    return found


async def _read_logs(session: AsyncSession, anchored: Anchored) -> dict[str, _Log]:
    named: dict[str, list[Heads]] = {}
    for document in anchored.documents:
        for log, heads in document.logs.items():
            if log not in CHAINS:
                raise Invalid("The file names a log that this program does not have.")
            named.setdefault(log, []).append(heads)
    return {log: await _read(session, log, heads) for log, heads in named.items()}


def _compare(logs: dict[str, _Log], anchored: Anchored) -> list[Finding]:
    found = [
        Finding(
            at,
            "anchors",
            Message("The anchor before this one is missing from the file, or was altered."),
        )
        for at in breaks(anchored.documents)
    ]
    # By log, up to where it is as it was.
    whole: dict[str, int] = {}
    for document in anchored.documents:
        for log, heads in document.logs.items():
            one = _compared(logs[log], heads)
            sentences = _sentences(log, logs[log], heads, one, whole.get(log, 0))
            sentences += _erased_early(logs[log], heads, document.at)
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
            last = one.altered[0]
            first = max(whole, known.begins_after if last > known.begins_after else 0) + 1
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


def _erased_early(known: _Log, heads: Heads, at: str) -> list[Message]:
    """Return whether entries that came after an anchor were younger than their rule when they went.

    The database may have been told another time, or its owner may have moved the beginning: the
    anchor left before.
    """
    part = next((one for one in known.erased if one.last_id > heads.newest), None)
    if part is None:
        return []
    try:
        made = datetime.fromisoformat(at)
        early = made > part.at - timedelta(days=part.days) + _ON_THE_WAY
    except (ValueError, TypeError, OverflowError):
        early = True
    if not early:
        return []
    last = part.last_id
    return [Message("Entries up to number %(last)s were erased before their time.", last=last)]


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
    parts = select(LogBeginning).where(LogBeginning.log == log).order_by(LogBeginning.last_id)
    erased = list(await session.scalars(parts))
    begins_after = erased[-1].last_id if erased else 0
    gaps = [] if CHAINS[log] else await _gaps(session, log, begins_after, ends[-1])
    hashes |= {part.last_id: part.hash.hex() for part in erased}
    # Entries are erased from a log that is numbered without gaps.
    up_to = {end: count + min(end, begins_after) for end, count in zip(ends, counts, strict=True)}
    return _Log(hashes, up_to, gaps, erased)


async def _gaps(
    session: AsyncSession, log: str, begins_after: int, newest: int
) -> list[tuple[int, int]]:
    """Return first and last of the missing numbers of a log that is numbered without gaps."""
    rows = await session.execute(
        text(
            "SELECT before + 1, least(id - 1, :newest) FROM ("
            " SELECT id, lag(id, 1, CAST(:begins_after AS bigint)) OVER (ORDER BY id) AS before"
            f" FROM {log}) AS numbered WHERE id > before + 1 AND before < :newest ORDER BY id"
        ),
        {"begins_after": begins_after, "newest": newest},
    )
    found = [(int(first), int(last)) for first, last in rows]
    last = await session.scalar(text(f"SELECT max(id) FROM {log}")) or begins_after
    return [*found, (last + 1, newest)] if last < newest else found
