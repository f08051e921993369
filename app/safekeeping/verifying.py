"""Comparing the logs with what anchors say: what is missing or altered since each of them."""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import Invalid, Message
from app.safekeeping.documents import Anchored, Heads, breaks, ranges, read
from app.safekeeping.time_stamps import is_stamped
from app.staff.audit import CHAINS
from app.work import Work

# In bytes: some years of anchors, one a day.
LARGEST_FILE = 16 * 1024 * 1024


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
        kept = read(file.decode())
    except UnicodeDecodeError:
        raise Invalid("The file holds no anchor.") from None
    findings = await compare(work.session, kept)
    for document in kept.documents:
        proof = kept.time_stamps.get(document.digest)
        if proof is None or work.settings.anchor_time_stamp_certificate is None:
            continue
        if not is_stamped(work.settings, document.text.encode(), proof):
            findings.append(
                Finding(document.at, "anchors", Message("Its time stamp does not fit."))
            )
    return Verdict(len(kept.documents), kept.documents[-1].at, findings)


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
    # By log, up to where it is as it was.
    whole: dict[str, int] = {}
    for document in anchored.documents:
        for log, heads in document.logs.items():
            if log not in CHAINS:
                raise Invalid("The file names a log that this program does not have.")
            one = await _compared(session, log, heads)
            sentences = await _sentences(session, log, heads, one, whole.get(log, 0))
            found += [Finding(document.at, log, sentence) for sentence in sentences]
            whole[log] = max(one.whole, default=whole.get(log, 0))
    return found


async def _sentences(
    session: AsyncSession, log: str, heads: Heads, one: _Compared, whole: int
) -> list[Message]:
    said = []
    if not CHAINS[log]:
        gaps = await _gaps(session, log, heads.newest)
        if gaps:
            said.append(Message("Entries %(numbers)s are missing.", numbers=ranges(gaps)))
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


async def _compared(session: AsyncSession, log: str, heads: Heads) -> _Compared:
    rows = await session.execute(
        text(f"SELECT id, encode(hash, 'hex') FROM {log} WHERE id = ANY(:ids)"),
        {"ids": list(heads.heads)},
    )
    known = {int(number): str(hash_) for number, hash_ in rows}
    count = await session.scalar(
        text(f"SELECT count(*) FROM {log} WHERE id <= :newest"), {"newest": heads.newest}
    )
    return _Compared(
        sorted(n for n in heads.heads if n not in known),
        sorted(n for n, hash_ in heads.heads.items() if known.get(n, hash_) != hash_),
        sorted(n for n, hash_ in heads.heads.items() if known.get(n) == hash_),
        # A row that was being written at that moment may have come later: there may be more.
        max(0, heads.entries - (count or 0)),
    )


async def _gaps(session: AsyncSession, log: str, newest: int) -> list[int]:
    """Return the missing numbers of a log that is numbered without gaps."""
    rows = await session.scalars(
        text(
            f"SELECT n FROM generate_series(1, CAST(:newest AS bigint)) AS n "
            f"WHERE NOT EXISTS (SELECT FROM {log} WHERE id = n) ORDER BY n"
        ),
        {"newest": newest},
    )
    return list(rows)
