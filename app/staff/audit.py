"""The append-only log of people's acts, and the check of every chain.

The hashes are made by triggers in the database (see the first migration):
SHA-256 over the hash before and the row's own content. Rows can be neither
changed nor deleted; whoever gets round that breaks the chain.
"""

from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.staff.models import AuditEntry
from app.work import Work


def write_entry(work: Work, action: str, subject: str, **detail: Any) -> None:
    """Append what the actor of this work does or reads; no personal data in `detail`."""
    actor = str(work.actor.staff_id) if work.actor.staff_id else work.actor.kind
    work.session.add(
        AuditEntry(
            at=work.now,
            actor=actor,
            action=action,
            subject=subject,
            detail=detail,
            previous=b"",
            hash=b"",
        )
    )


class ChainReport(NamedTuple):
    """How many rows were checked, the ids of broken ones, and the newest hash."""

    table: str
    rows: int
    broken: list[int]
    head: str


_VERIFY = """
WITH linked AS (
  SELECT id, hash, previous, {table}_digest({table}) AS computed,
         lag(hash, 1, '\\x'::bytea) OVER ({partition} ORDER BY id) AS expected
  FROM {table}
)
SELECT count(*),
       coalesce(array_agg(id ORDER BY id) FILTER
         (WHERE hash <> computed OR previous <> expected), '{{}}'),
       (SELECT encode(hash, 'hex') FROM {table} ORDER BY id DESC LIMIT 1)
FROM linked
"""


async def verify_chains(session: AsyncSession) -> list[ChainReport]:
    """Recompute every hash of both logs and compare."""
    reports = []
    for table, partition in (("audit_entries", ""), ("call_events", "PARTITION BY call_id")):
        row = (await session.execute(text(_VERIFY.format(table=table, partition=partition)))).one()
        reports.append(ChainReport(table, row[0], list(row[1])[:20], row[2] or ""))
    missing = (
        await session.execute(
            text(
                "SELECT count(*), coalesce(min(c.event_count - coalesce(e.n, 0)), 0) FROM calls c "
                "LEFT JOIN (SELECT call_id, count(*) AS n FROM call_events GROUP BY call_id) e "
                "ON e.call_id = c.id WHERE c.event_count <> coalesce(e.n, 0)"
            )
        )
    ).one()
    reports.append(ChainReport("calls without all their events", missing[0], [0] * missing[0], ""))
    return reports
