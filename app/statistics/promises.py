"""Call-backs that were promised, and whether they were kept.

A promise is a follow-up of a case about calling back. It belongs to the day on which it was due
and is kept when it was done by the end of that day, in the country's zone.
"""

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app.statistics.periods import Window
from app.work import Work

WORDS = {
    "callbacks_due": "call-backs promised for a day of the window",
    "callbacks_kept": "of these, those done by the end of that day",
    "callbacks_late": "of these, those done later",
    "callbacks_not_reached": "of these, those done in whatever time without reaching anybody",
    "callbacks_open": "of these, those nobody has done yet",
}
_SQL = """
SELECT count(*) AS callbacks_due,
  count(*) FILTER (WHERE result = 'done' AND (done_at AT TIME ZONE :zone)::date <= due_on)
    AS callbacks_kept,
  count(*) FILTER (WHERE result = 'done' AND (done_at AT TIME ZONE :zone)::date > due_on)
    AS callbacks_late,
  count(*) FILTER (WHERE done_at IS NOT NULL AND result <> 'done') AS callbacks_not_reached,
  count(*) FILTER (WHERE done_at IS NULL) AS callbacks_open
FROM follow_ups f WHERE about = 'call_back' AND due_on >= :first AND due_on < :last
  AND NOT EXISTS (SELECT FROM case_contacts k WHERE k.case_id = f.case_id
    AND is_practice(NULL, k.contact_id))
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
