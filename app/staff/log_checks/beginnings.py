"""Where a log begins, if its oldest part was erased by the rule of retention.

The chain stays provable: the owner's function keeps the number and the hash of the last entry that
it erased, and writes an entry about it at the end of the log. Here both are compared.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.staff.log_kinds import AuditLog
from app.staff.log_rows import LogBeginning
from app.staff.models import AuditEntry


class ChainReport(NamedTuple):
    """How many rows were checked, the ids of broken ones, and the newest hash."""

    table: str
    rows: int
    broken: list[int | str]
    head: str


class Beginning(NamedTuple):
    """From when the oldest entry of the log is, and after how many days the others were erased."""

    at: datetime
    days: int
    entries: int


async def beginning_of(session: AsyncSession) -> Beginning | None:
    """Return where the log of people's acts begins; None if nothing of it was ever erased."""
    oldest = select(AuditEntry.at).order_by(AuditEntry.id).limit(1).scalar_subquery()
    row = (
        await session.execute(
            select(oldest, LogBeginning.days, LogBeginning.last_id)
            .where(LogBeginning.log == AuditEntry.__tablename__)
            .order_by(LogBeginning.last_id.desc())
            .limit(1)
        )
    ).one_or_none()
    # Entries are numbered without gaps, from one on.
    return Beginning(*row) if row is not None else None


# Each part that was erased follows the one before, and was as old as its rule says. The log says
# the same of the newest one: the entry about it is not old enough to be erased itself.
_BEGINNINGS = text("""
SELECT count(*), coalesce(array_agg(last_id ORDER BY last_id) FILTER (
    WHERE rows <> last_id - before OR days < 1095 OR at > now()
      OR last_at >= at - make_interval(days => days)
      OR after IS NULL AND NOT EXISTS (
        SELECT FROM audit_entries e WHERE e.action = :erased AND e.id > last_id
          AND e.detail ->> 'last' = last_id::text
          AND e.detail ->> 'hash' = encode(numbered.hash, 'hex'))), '{}')
FROM (SELECT *, lag(last_id, 1, CAST(0 AS bigint)) OVER (ORDER BY last_id) AS before,
             lead(last_id) OVER (ORDER BY last_id) AS after
      FROM log_beginnings WHERE log = 'audit_entries') AS numbered
""").bindparams(erased=AuditLog.LOG_ENTRIES_ERASED)
_KEPT = text("""
SELECT count(*), coalesce(array_agg(id ORDER BY id) FILTER (
    WHERE hash <> audit_entries_digest(
      ROW (id, at, actor, action, subject, detail, previous, hash)::audit_entries)), '{}')
FROM kept_entries
""")


async def verify_beginnings(session: AsyncSession) -> list[ChainReport]:
    """Check where the log begins, and what was kept of what went; nothing if it was never cut."""
    reports = []
    for name, statement in (("log_beginnings", _BEGINNINGS), ("kept_entries", _KEPT)):
        rows, broken = (await session.execute(statement)).one()
        if rows:
            reports.append(ChainReport(name, rows, list(broken)[:20], ""))
    return reports
