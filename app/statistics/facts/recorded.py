"""Count the contacts of a window in the record itself, without the facts."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from app.statistics.facts.days import Reading
from app.statistics.periods import Window

_COUNT = """
SELECT count(*) FROM contacts k
LEFT JOIN calls c ON c.id = k.call_id
LEFT JOIN lines l ON l.id = c.line_id
JOIN unnest(%(lines)s::text[], %(since)s::timestamptz[], %(until)s::timestamptz[])
  AS w (line, since, until) ON w.line = coalesce(l.number, '')
WHERE coalesce(c.opened_at, k.taken_at) >= w.since AND coalesce(c.opened_at, k.taken_at) < w.until
  AND (%(line)s::text IS NULL OR l.number = %(line)s)
"""


async def recorded_contacts(
    look: Reading,
    window: Window,
    country: ZoneInfo,
    of_line: Mapping[str, ZoneInfo],
    line: str | None = None,
) -> int:
    """Return the number of contacts, each in its line's own window; practice lines have none."""
    windows = {"": window.instants(country)}
    windows |= {number: window.instants(zone) for number, zone in of_line.items()}
    row = await (
        await look.connection.execute(
            _COUNT,
            {
                "lines": list(windows),
                "since": [since for since, _ in windows.values()],
                "until": [until for _, until in windows.values()],
                "line": line,
            },
        )
    ).fetchone()
    assert row is not None
    return int(row[0])
