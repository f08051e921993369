"""Calls of practice lines: they are in no figure, but their number is shown."""

from sqlalchemy import text

from app.statistics.counting.summary import zones_of
from app.statistics.periods import Window
from app.work import Work

_SQL = """
SELECT count(*) FROM calls c JOIN lines l ON l.id = c.line_id
WHERE l.practice AND c.direction = 'inbound' AND c.opened_at >= :since AND c.opened_at < :until
"""


async def practice_calls(work: Work, window: Window) -> int:
    """Return how many calls rang practice lines in a window of the country's zone."""
    since, until = window.instants((await zones_of(work)).country)
    found = await work.session.scalar(text(_SQL), {"since": since, "until": until})
    return int(found or 0)
