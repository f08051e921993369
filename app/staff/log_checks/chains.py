"""The check of every chain of the logs: each hash is worked out again.

The hashes are made by triggers in the database (`migrations/first/functions.py`; that of
`record_events` is newer, in revision 0013): SHA-256 over the previous hash and the row's own
content. A change of a row that gets round the triggers breaks the chain.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.staff.log_checks.beginnings import ChainReport, verify_beginnings

# The logs whose rows are chained, with the column by which each has several chains.
CHAINS = {"audit_entries": "", "call_events": "call_id", "record_events": "subject_id"}

# The oldest part of a log may be erased by its rule: the chain begins with what the owner's
# function has written of it, and nothing is left before it.
_VERIFY = """
WITH begun AS (
  SELECT coalesce(max(last_id), 0) AS id,
         coalesce((array_agg(hash ORDER BY last_id DESC))[1], '\\x'::bytea) AS hash
  FROM log_beginnings WHERE log = '{table}'
), linked AS (
  SELECT id, hash, previous, {table}_digest({table}) AS computed,
         lag(hash, 1, (SELECT hash FROM begun)) OVER ({partition} ORDER BY id) AS expected
  FROM {table}
)
SELECT count(*),
       coalesce(array_agg(id ORDER BY id) FILTER (WHERE hash <> computed OR previous <> expected
         OR id <= (SELECT id FROM begun)), '{{}}'),
       (SELECT encode(hash, 'hex') FROM {table} ORDER BY id DESC LIMIT 1)
FROM linked
"""


# Words may only be gone from the log of a record whose content was erased, or where they are about
# two profiles, of which one was.
_GONE = text("""
    SELECT id FROM record_events e WHERE words_digest IS NOT NULL AND words_sealed IS NULL
      AND NOT EXISTS (SELECT FROM contacts WHERE id = e.subject_id AND erased_at IS NOT NULL)
      AND NOT EXISTS (SELECT FROM cases WHERE id = e.subject_id AND erased_at IS NOT NULL)
      AND NOT EXISTS (SELECT FROM referrals WHERE id = e.subject_id AND erased_at IS NOT NULL)
      AND NOT EXISTS (SELECT FROM profiles WHERE erased_at IS NOT NULL AND id IN (e.subject_id,
        CASE e.subject_kind WHEN 'profile' THEN (e.detail ->> 'other')::uuid END))
    ORDER BY id
""")


async def verify_chains(session: AsyncSession) -> list[ChainReport]:
    """Recompute every hash of the logs, and report the rows that do not match."""
    reports = []
    for table, subject in CHAINS.items():
        partition = f"PARTITION BY {subject}" if subject else ""
        row = (await session.execute(text(_VERIFY.format(table=table, partition=partition)))).one()
        broken: list[int | str] = list(row[1])
        if table == "record_events":
            broken = sorted({*broken, *(await session.scalars(_GONE))})
        reports.append(ChainReport(table, row[0], broken[:20], row[2] or ""))
    missing = (
        await session.execute(
            text(
                "SELECT count(*), coalesce(min(c.event_count - coalesce(e.n, 0)), 0) FROM calls c "
                "LEFT JOIN (SELECT call_id, count(*) AS n FROM call_events GROUP BY call_id) e "
                "ON e.call_id = c.id WHERE c.event_count <> coalesce(e.n, 0)"
            )
        )
    ).one()
    reports.append(ChainReport("calls_without_events", missing[0], [0] * missing[0], ""))
    return [*reports, *await verify_beginnings(session)]
