"""Comparing the logs with what anchors say: what is missing or altered since each of them."""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import Invalid
from app.safekeeping.documents import Anchored, Heads, breaks, ranges
from app.staff.audit import CHAINS


@dataclass(frozen=True)
class Finding:
    """What is wrong with one log since an anchor, as sentences for the person who checks."""

    at: str
    log: str
    sentence: str


class _Compared(NamedTuple):
    missing: list[int]
    altered: list[int]
    whole: list[int]
    lacks: int


async def compare(session: AsyncSession, anchored: Anchored) -> list[Finding]:
    """Return what of the logs is missing or altered since these anchors.

    Raises Invalid for a log that this program does not have.
    """
    found = [
        Finding(
            at, "anchors", "The anchor before this one is missing from the file, or was altered."
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
) -> list[str]:
    said = []
    if not CHAINS[log]:
        gaps = await _gaps(session, log, heads.newest)
        if gaps:
            said.append(f"Entries {ranges(gaps)} are missing.")
        elif one.lacks > 0:
            said.append(f"{one.lacks} entries are missing.")
        if one.altered:
            said.append(f"An entry from {whole + 1} to {one.altered[0]} was altered.")
        return said
    if one.missing:
        said.append(
            f"Entries {ranges(one.missing)} are missing, each the last of its chain when the "
            "anchor was made."
        )
    if one.lacks > len(one.missing):
        said.append(f"{one.lacks} entries up to number {heads.newest} are missing in all.")
    if one.altered:
        said.append(f"The chains that ended with the entries {ranges(one.altered)} were altered.")
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
