"""What happened since midnight and what waits now, in one statement, for pages that stay open.

Outcomes and service level mean what they mean in the reports (`measures.py`, formula 3), with one
difference: a call that was answered and goes on counts already.
"""

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app.contacts.registry import library_of
from app.statistics.counting import summary
from app.statistics.periods import day_begins
from app.work import Work

_TODAY = text("""
    WITH c AS (
      SELECT c.*,
        floor(extract(epoch FROM c.answered_at)) - floor(extract(epoch FROM c.queued_at)) AS wait
      FROM calls c LEFT JOIN lines l ON l.id = c.line_id
      WHERE (c.opened_at >= :since OR c.state <> 'ended') AND NOT coalesce(l.practice, false)
    ), today AS (
      SELECT c.*, c.outcome = 'answered' OR (c.outcome IS NULL AND c.answered_at IS NOT NULL)
          AS answered,
        c.outcome IN ('abandoned_in_queue', 'short_abandon') AS left_queue,
        c.outcome IN ('voicemail', 'callback_requested') AND c.queued_at IS NOT NULL AS put_off
      FROM c WHERE c.opened_at >= :since AND c.direction = 'inbound'
    )
    SELECT
      (SELECT count(*) FROM c WHERE c.state IN ('queued', 'offered')) AS waiting,
      (SELECT min(coalesce(c.queued_at, c.opened_at)) FROM c
        WHERE c.state IN ('queued', 'offered')) AS waits_since,
      count(*) FILTER (WHERE answered) AS answered,
      count(*) FILTER (WHERE answered AND wait <= :target) AS in_time,
      count(*) FILTER (WHERE left_queue) AS abandoned,
      count(*) FILTER (WHERE put_off) AS put_off
    FROM today
""")


class Today(NamedTuple):
    """Counts since midnight, and the callers who wait now."""

    waiting: int
    waits_since: datetime | None
    answered: int
    in_time: int
    abandoned: int
    put_off: int
    # The seconds within which a call is answered in time.
    target: int

    @property
    def service_level(self) -> int | None:
        """Return the percentage of calls answered in time; None before the first wait ended."""
        ended = self.answered + self.abandoned + self.put_off
        return round(100 * self.in_time / ended) if ended else None


def midnight(work: Work) -> datetime:
    """Return when the helpline's own day began."""
    zone = ZoneInfo(library_of(work.ground).country.timezone)
    return day_begins(summary.today(work), zone)


async def so_far(work: Work) -> Today:
    """Count the calls since midnight and the callers who wait. Practice calls are left out."""
    target = work.settings.service_level_seconds
    values = {"since": midnight(work), "target": target}
    row = (await work.session.execute(_TODAY, values)).one()
    return Today(
        waiting=row.waiting,
        waits_since=row.waits_since,
        answered=row.answered,
        in_time=row.in_time,
        abandoned=row.abandoned,
        put_off=row.put_off,
        target=target,
    )
