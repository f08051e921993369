"""What of the log of people's acts is due: its oldest part, up to the first entry that stays.

An entry stays while it is young, or names a record that is held or belongs to a held one (the
function `held_in_log` of the database); so does every entry after it, because a chain has no gaps.
Whether an entry is young is asked of the database's clock as well as of the program's.
"""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.database.logs import erase_up_to
from app.log import log
from app.staff.models import AuditEntry
from app.work import Work

_IS_YOUNG = "at >= least(CAST(:now AS timestamptz), now()) - make_interval(days => :days)"
# An id at the end of the subject, or a text of the detail, alone or after a colon.
# The same stands in the owner's function, which refuses what names a held record.
NAMES_HELD = """cardinality(held) > 0 AND (right(subject, 36) = ANY(held)
  OR pg_column_size(detail) > 36 AND EXISTS (
    SELECT FROM unnest(string_to_array(translate(detail::text, ':', '"'), '"')) AS said
    WHERE said = ANY(held)))"""
# Due among the oldest entries; where none of these stays, all are due.
_LOOK = """
WITH oldest AS (
  SELECT id, at, subject, detail FROM audit_entries ORDER BY id LIMIT :most
), young AS (
  SELECT coalesce(min(id), 9223372036854775807) AS id FROM oldest WHERE {young}
), kept AS (
  SELECT oldest.id, at FROM oldest, held_in_log() AS held
  WHERE oldest.id < (SELECT id FROM young) AND {names_held}
  ORDER BY oldest.id LIMIT 1
)
SELECT count(*), min(at), (SELECT at FROM kept), max(id) FROM oldest
WHERE id < coalesce((SELECT id FROM kept), (SELECT id FROM young))
"""
# The most entries that a dry run counts: a page that shows it must not read years of a log.
_COUNTED = 100_000


class LogDue(NamedTuple):
    """How many entries are due, from when the oldest is, and from when the first one is that stays
    only because a record is held."""

    rows: int
    oldest: datetime | None
    held_from: datetime | None


async def count_due(work: Work, days: int) -> LogDue:
    """Return what a run would erase of the log now, up to the most that is counted."""
    rows, oldest, held_from, _ = await _look(work, days, _COUNTED)
    return LogDue(rows, oldest, held_from)


async def erase_next(work: Work, days: int, most: int, run_id: UUID) -> int:
    """Erase the next entries that are due, `most` at once. Return how many; 0 also if another run
    is erasing them."""
    *_, up_to = await _look(work, days, most)
    if up_to is None:
        return 0
    try:
        async with work.session.begin_nested():
            return await erase_up_to(work.session, AuditEntry.__tablename__, up_to, days, run_id)
    except IntegrityError:
        # What was forged is kept: it shows what was done. The check of the log names the entry.
        log().error(
            "the database keeps the oldest part of the log: it does not fit its chain or its rule",
            area="retention",
        )
        return 0


async def _look(work: Work, days: int, most: int) -> Any:
    look = text(_LOOK.format(young=_IS_YOUNG, names_held=NAMES_HELD))
    return (await work.session.execute(look, {"now": work.now, "days": days, "most": most})).one()
