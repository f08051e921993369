"""Call-backs that were due, and whether they were made in time.

These are follow-ups of cases about calling back, and call-backs that callers asked for (due by the
end of the agreed time; replaced and cancelled ones do not count). A call-back belongs to the day on
which it was first due, moved or not, and is kept if it was done by the end of that day, in the
country's zone.
"""

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app.statistics.periods import Window
from app.work import Work

WORDS = {
    "callbacks_due": "call-backs that were first due on a day of the window",
    "callbacks_kept": "of these, those done by the end of that day",
    "callbacks_late": "of these, those done later",
    "callbacks_not_reached": "of these, those done, early or late, without reaching the person",
    "callbacks_open": "of these, those not done yet",
}
_SQL = """
WITH due AS (
  SELECT f.due_on, f.done_at, f.result = 'done' AS reached FROM follow_ups f
  WHERE f.about = 'call_back' AND NOT EXISTS (SELECT FROM case_contacts k
    WHERE k.case_id = f.case_id AND is_practice(NULL, k.contact_id))
  UNION ALL
  SELECT (b.first_due_until AT TIME ZONE :zone)::date, b.done_at, b.state = 'reached'
  FROM callbacks b JOIN lines l ON l.id = b.line_id
  WHERE b.state <> 'cancelled' AND NOT l.practice
)
SELECT count(*) AS callbacks_due,
  count(*) FILTER (WHERE reached AND (done_at AT TIME ZONE :zone)::date <= due_on)
    AS callbacks_kept,
  count(*) FILTER (WHERE reached AND (done_at AT TIME ZONE :zone)::date > due_on)
    AS callbacks_late,
  count(*) FILTER (WHERE done_at IS NOT NULL AND NOT coalesce(reached, false))
    AS callbacks_not_reached,
  count(*) FILTER (WHERE done_at IS NULL) AS callbacks_open
FROM due WHERE due_on >= :first AND due_on < :last
"""


@dataclass(frozen=True)
class DueCallbacks:
    """The numbers by the names of `WORDS`; kept, late, not reached and open add up to due."""

    numbers: dict[str, int]


async def due_callbacks(work: Work, window: Window, zone: ZoneInfo) -> DueCallbacks:
    """Count the call-backs that were due on the days of a window."""
    first, last = (e.astimezone(zone).date() for e in window.instants(zone))
    assert isinstance(first, date)
    values = {"zone": zone.key, "first": first, "last": last}
    row = (await work.session.execute(text(_SQL), values)).mappings().one()
    return DueCallbacks({name: int(row[name]) for name in WORDS})
