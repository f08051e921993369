"""Limit how many tables about contents one token may request in a day.

Rounding leaves each single number uncertain. A program that requests very many numbers, or the
same number again and again while records are being corrected, could narrow it down. So a token may
request a limited number of different tables in a day, and each of them a few times: enough for a
nightly job and a person who explores, too little for a search.
"""

import hashlib
import json
from datetime import UTC
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from app.errors import TooMany
from app.statistics.dimensions import Dimension
from app.statistics.exports.exporting import ExportWanted
from app.statistics.exports.files import File
from app.statistics.models import AskedTable
from app.statistics.protection.guard import is_content
from app.work import Work

# Different tables about contents that one token may request in a day (UTC), and how often each.
TABLES, TIMES = 200, 4
_TELLING = frozenset({File.REPORT, File.REFERRALS, File.FEEDBACK})


def tells(wanted: ExportWanted) -> bool:
    """Return whether a table shows what was said in contacts, what became of referrals, or what
    children thought of a conversation."""
    by = (*wanted.by, *([Dimension.CATEGORY] if wanted.what is File.CATEGORIES else []))
    return wanted.what in _TELLING or any(is_content(d) for d in by)


def _key(wanted: ExportWanted) -> bytes:
    """Return the hash of a table; its format and the columns that are read do not matter."""
    words = [
        wanted.what,
        wanted.window.words,
        wanted.period,
        sorted(wanted.by),
        wanted.line,
        wanted.referrals_by,
        wanted.report,
    ]
    return hashlib.sha256(json.dumps(words).encode()).digest()


async def spend(work: Work, token_id: UUID | None, wanted: ExportWanted) -> None:
    """Count a table against the daily budget of the token that requests it; a person has no limit.

    Raises TooMany.
    """
    if token_id is None or not tells(wanted):
        return
    today = work.now.astimezone(UTC).date()
    values = {"token_id": token_id, "day": today, "question": _key(wanted), "times": 1}
    statement = insert(AskedTable).values(**values)
    counted = statement.on_conflict_do_update(
        index_elements=["token_id", "day", "question"], set_={"times": AskedTable.times + 1}
    ).returning(AskedTable.times)
    times = (await work.session.execute(counted)).scalar_one()
    if times > TIMES:
        raise TooMany(
            "This token has requested this table %(times)s times today. Keep the result, "
            "and request it again tomorrow.",
            times=TIMES,
        )
    if times > 1:
        return
    mine = AskedTable.token_id == token_id
    number = select(func.count()).where(mine, AskedTable.day == today)
    if (await work.session.scalar(number) or 0) > TABLES:
        raise TooMany(
            "This token has requested %(tables)s tables about contacts today. Request the "
            "rest tomorrow, or request a report, which counts as one table.",
            tables=TABLES,
        )
    await work.session.execute(delete(AskedTable).where(mine, AskedTable.day < today))
