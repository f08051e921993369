"""Counsellors' time: seconds in each state by quarter-hour, and when each line was covered.

A quarter-hour of UTC lies wholly in one local period, whatever the zone.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from app.routing.models import PresenceState
from app.statistics.facts.columns import Packed, pack
from app.statistics.staff_measures import SIGNED_IN

QUARTER = 900
# The states in which a counsellor is there for callers.
SERVING = frozenset(
    {
        PresenceState.AVAILABLE,
        PresenceState.OFFERED,
        PresenceState.ON_CALL,
        PresenceState.WRITING,
        PresenceState.WRAP_UP,
    }
)

# Helping in a talk is work: the presence says break, so that no call is offered meanwhile.
_CHANGES = """
SELECT p.counsellor_id, extract(epoch FROM p.at) AS at,
  CASE WHEN p.after = 'break' AND p.cause = 'helps' THEN 'on_call' ELSE p.after END
FROM presence_changes p WHERE p.at >= %(since)s AND p.at < %(until)s
ORDER BY p.counsellor_id, p.id
"""
# The state of each counsellor when the day began.
_BEFORE = """
SELECT s.id, (SELECT CASE WHEN p.after = 'break' AND p.cause = 'helps'
  THEN 'on_call' ELSE p.after END FROM presence_changes p
  WHERE p.counsellor_id = s.id AND p.at < %(since)s ORDER BY p.at DESC, p.id DESC LIMIT 1)
FROM staff s
"""
_LINES = """
SELECT l.number, s.id FROM lines l JOIN staff s
  ON s.lines = '{}' OR l.number = ANY (s.lines)
WHERE NOT l.practice AND EXISTS (SELECT FROM presence_changes p WHERE p.counsellor_id = s.id)
"""

# Time spent on practice calls: from the offer to the end of the wrap-up after it.
_PRACTICE = """
SELECT o.counsellor_id, floor(extract(epoch FROM o.opened_at))::bigint,
  floor(extract(epoch FROM coalesce(
    (SELECT n.at FROM presence_changes p JOIN presence_changes n
      ON n.counsellor_id = p.counsellor_id AND n.id > p.id
      WHERE o.connected_at IS NOT NULL AND p.counsellor_id = o.counsellor_id
        AND p.at = o.released_at AND p.after = 'wrap_up' ORDER BY n.id LIMIT 1),
    o.released_at, %(until)s)))::bigint
FROM offers o JOIN calls c ON c.id = o.call_id JOIN lines l ON l.id = c.line_id
WHERE l.practice AND o.opened_at < %(until)s AND coalesce(o.released_at, %(until)s) >= %(before)s
"""
Stretch = tuple[int, int, str]


async def time_columns(
    connection: psycopg.AsyncConnection[Any], since: datetime, until: datetime, now: datetime
) -> dict[str, Packed]:
    """Return the time columns of a day; time after `now` is not counted."""
    values = {"since": since, "until": until, "before": since - timedelta(days=1)}
    begin = int(since.timestamp())
    end = min(int(until.timestamp()), max(int(now.timestamp()), begin))
    before = await (await connection.execute(_BEFORE, values)).fetchall()
    states: dict[UUID, str | None] = {row[0]: row[1] for row in before}
    changes: dict[UUID, list[tuple[int, str]]] = {}
    for counsellor, at, after in await (await connection.execute(_CHANGES, values)).fetchall():
        changes.setdefault(counsellor, []).append((int(at), after))
    practice: dict[UUID, list[tuple[int, int]]] = {}
    for counsellor, from_, to in await (await connection.execute(_PRACTICE, values)).fetchall():
        practice.setdefault(counsellor, []).append((from_, to))
    stretches = {
        counsellor: without(
            _stretches(state, changes.get(counsellor, []), begin, end),
            practice.get(counsellor, []),
        )
        for counsellor, state in states.items()
        if state is not None or counsellor in changes
    }
    takers: dict[str, list[UUID]] = {}
    for number, counsellor in await (await connection.execute(_LINES)).fetchall():
        takers.setdefault(number, []).append(counsellor)
    return {**_of_counsellors(stretches, begin), **_of_lines(takers, stretches, begin)}


def _stretches(
    state: str | None, changes: list[tuple[int, str]], begin: int, end: int
) -> list[Stretch]:
    """Return the stretches of time in each state except off duty, in whole seconds."""
    found: list[Stretch] = []
    at, now_in = begin, state or PresenceState.OFF_DUTY
    for then, after in [*changes, (end, "")]:
        then = min(then, end)
        if then > at and now_in != PresenceState.OFF_DUTY:
            found.append((at, then, now_in))
        at, now_in = max(at, then), after
    return found


def quarters(begin: int, since: int, until: int) -> Iterable[tuple[int, int]]:
    """Yield the quarter-hours that a stretch touches, each with its seconds."""
    at = since
    while at < until:
        quarter = (at - begin) // QUARTER
        edge = min(begin + (quarter + 1) * QUARTER, until)
        yield quarter, edge - at
        at = edge


def _of_counsellors(stretches: dict[UUID, list[Stretch]], begin: int) -> dict[str, Packed]:
    who: list[str] = []
    when: list[int] = []
    seconds: dict[str, list[int]] = {state: [] for state in SIGNED_IN}
    for counsellor in sorted(stretches, key=str):
        by_quarter: dict[int, dict[str, int]] = {}
        for since, until, state in stretches[counsellor]:
            for quarter, length in quarters(begin, since, until):
                spent = by_quarter.setdefault(quarter, dict.fromkeys(SIGNED_IN, 0))
                spent[state] += length
        for quarter, spent in sorted(by_quarter.items()):
            who.append(str(counsellor))
            when.append(begin + quarter * QUARTER)
            for state in SIGNED_IN:
                seconds[state].append(spent[state])
    return {
        "time_counsellor": pack("time_counsellor", "word", who),
        "time_at": pack("time_at", "number", when),
        **{f"time_{state}": pack(f"time_{state}", "number", seconds[state]) for state in SIGNED_IN},
    }


def _of_lines(
    takers: dict[str, list[UUID]], stretches: dict[UUID, list[Stretch]], begin: int
) -> dict[str, Packed]:
    lines: list[str] = []
    when: list[int] = []
    seconds: list[int] = []
    for number in sorted(takers):
        served = sorted(
            (since, until)
            for counsellor in takers[number]
            for since, until, state in stretches.get(counsellor, [])
            if state in SERVING
        )
        by_quarter: dict[int, int] = {}
        for since, until in union(served):
            for quarter, length in quarters(begin, since, until):
                by_quarter[quarter] = by_quarter.get(quarter, 0) + length
        for quarter, length in sorted(by_quarter.items()):
            lines.append(number)
            when.append(begin + quarter * QUARTER)
            seconds.append(length)
    return {
        "covered_line": pack("covered_line", "word", lines),
        "covered_at": pack("covered_at", "number", when),
        "covered_seconds": pack("covered_seconds", "number", seconds),
    }


def without(stretches: list[Stretch], practice: list[tuple[int, int]]) -> list[Stretch]:
    """Return the stretches without the time spent on practice calls."""
    for since, until in practice:
        left: list[Stretch] = []
        for begin, end, state in stretches:
            if begin < min(since, end):
                left.append((begin, min(since, end), state))
            if max(until, begin) < end:
                left.append((max(until, begin), end, state))
        stretches = sorted(set(left))
    return stretches


def union(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the stretches in order, joined where they touch."""
    joined: list[tuple[int, int]] = []
    for since, until in stretches:
        if joined and since <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], until)
        else:
            joined.append((since, until))
    return joined
