"""How many written conversations counsellors held at once: seconds by quarter-hour and number.

A conversation is held from the moment at which its counsellor took it until it was over or went to
a colleague. Practice conversations do not count.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from app.statistics.facts.columns import Packed, pack
from app.statistics.facts.presence_time import QUARTER, quarters

COLUMNS = ("held_counsellor", "held_at", "held_number", "held_seconds")
# No conversation is in the same hands for longer: before that, its counsellor has signed out.
_LONGEST = timedelta(days=7)
_HELD = """
SELECT o.counsellor_id, floor(extract(epoch FROM o.connected_at))::bigint,
  floor(extract(epoch FROM coalesce(least(o.released_at, c.ended_at), %(until)s)))::bigint
FROM offers o JOIN calls c ON c.id = o.call_id LEFT JOIN lines l ON l.id = c.line_id
WHERE o.opened_at >= %(before)s AND o.opened_at < %(until)s AND o.slot IS NOT NULL
  AND o.connected_at IS NOT NULL AND coalesce(o.released_at, %(until)s) >= %(since)s
  AND NOT coalesce(l.practice, false)
"""
Span = tuple[int, int]


async def held_columns(
    connection: psycopg.AsyncConnection[Any], since: datetime, until: datetime, now: datetime
) -> dict[str, Packed]:
    """Return the columns of a day; time after `now` is not counted."""
    begin = int(since.timestamp())
    end = min(int(until.timestamp()), max(int(now.timestamp()), begin))
    values = {"since": since, "until": until, "before": since - _LONGEST}
    spans: dict[UUID, list[Span]] = defaultdict(list)
    for counsellor, first, last in await (await connection.execute(_HELD, values)).fetchall():
        first, last = max(first, begin), min(last, end)
        if first < last:
            spans[counsellor].append((first, last))
    rows = [
        (str(counsellor), begin + quarter * QUARTER, number, seconds)
        for counsellor in sorted(spans, key=str)
        for (quarter, number), seconds in sorted(_by_quarter(spans[counsellor], begin).items())
    ]
    found = zip(*rows, strict=True) if rows else ((), (), (), ())
    return {
        name: pack(name, "word" if name == "held_counsellor" else "number", list(values))
        for name, values in zip(COLUMNS, found, strict=True)
    }


def _by_quarter(spans: list[Span], begin: int) -> dict[tuple[int, int], int]:
    """Return the seconds with each number of conversations, by quarter-hour."""
    found: dict[tuple[int, int], int] = defaultdict(int)
    for since, until, number in at_once(spans):
        for quarter, seconds in quarters(begin, since, until):
            found[quarter, number] += seconds
    return found


def at_once(spans: list[Span]) -> list[tuple[int, int, int]]:
    """Return the stretches in which a number of spans lie over each other, that number last."""
    changes: dict[int, int] = defaultdict(int)
    for since, until in spans:
        changes[since] += 1
        changes[until] -= 1
    found, number, before = list[tuple[int, int, int]](), 0, 0
    for at in sorted(changes):
        if number:
            found.append((before, at, number))
        number, before = number + changes[at], at
    return found
