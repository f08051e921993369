"""Call-backs that were promised, and whether they were kept.

A promise is a follow-up of a case about calling back, or a call-back that a caller asked for (due
by the end of the time agreed; those replaced or cancelled are none). It belongs to the day that was
promised first, moved or not, and is kept when it was done by the end of that day, in the country's
zone.
"""

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app.statistics.periods import Window
from app.work import Work

WORDS = {
    "callbacks_due": "call-backs that were first promised for a day of the window",
    "callbacks_kept": "of these, those done by the end of that day",
    "callbacks_late": "of these, those done later",
    "callbacks_not_reached": "of these, those done in whatever time without reaching anybody",
    "callbacks_open": "of these, those nobody has done yet",
}
_SQL = """
WITH promised AS (
  SELECT f.due_on, f.done_at, f.result = 'done' AS reached FROM follow_ups f
  WHERE f.about = 'call_back' AND NOT EXISTS (SELECT FROM case_contacts k
    WHERE k.case_id = f.case_id AND is_practice(NULL, k.contact_id))
  UNION ALL
  SELECT (b.promised_until AT TIME ZONE :zone)::date, b.done_at, b.state = 'reached'
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
FROM promised WHERE due_on >= :first AND due_on < :last
"""


@dataclass(frozen=True)
class Promises:
    """The numbers, by the names of `WORDS`; they add up: kept, late, not reached and open."""

    numbers: dict[str, int]


async def promises(work: Work, window: Window, zone: ZoneInfo) -> Promises:
    """Promises of the days of a window."""
    first, last = (e.astimezone(zone).date() for e in window.instants(zone))
    assert isinstance(first, date)
    values = {"zone": zone.key, "first": first, "last": last}
    row = (await work.session.execute(text(_SQL), values)).mappings().one()
    return Promises({name: int(row[name]) for name in WORDS})
