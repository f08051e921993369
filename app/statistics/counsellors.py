"""Counsellors' time and offers, the fairness of offers, and the coverage of lines."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from psycopg.rows import dict_row
from sqlalchemy import select

from app.staff.models import Staff
from app.statistics import measures
from app.statistics.columns import NONE, Block, Words
from app.statistics.days import Reading, reading
from app.statistics.measures import SIGNED_IN, jain, occupancy, ratio, rounded
from app.statistics.periods import Window
from app.statistics.summary import Zones, zones_of
from app.statistics.tables import OutColumn, OutTable, batch_of
from app.work import Work

# A hand-over opens and is accepted in one instant: it is no offer.
_OFFERS = """
SELECT o.counsellor_id, count(*) AS offers, count(o.connected_at) AS answered,
  count(*) FILTER (WHERE o.state = 'missed') AS missed,
  count(*) FILTER (WHERE o.state = 'declined') AS declined
FROM offers o JOIN calls c ON c.id = o.call_id LEFT JOIN lines l ON l.id = c.line_id
WHERE o.opened_at >= %(since)s AND o.opened_at < %(until)s AND NOT coalesce(l.practice, false)
  AND c.direction = 'inbound' AND o.expires_at > o.opened_at
GROUP BY o.counsellor_id
"""
# Whoever was available for less is not compared with others.
_AT_LEAST = 3600


@dataclass(frozen=True)
class Worked:
    """One counsellor in a window. Times are in seconds."""

    id: str
    name: str
    seconds: dict[str, int]
    offers: int
    answered: int
    missed: int
    declined: int

    def figures(self) -> dict[str, float | int | None]:
        s = self.seconds
        handling = s["on_call"] + s["wrap_up"]
        signed_in = sum(s.values())
        found: dict[str, float | int | None] = {
            "signed_in": signed_in,
            "available": s["available"],
            "handling": handling,
            "occupancy": occupancy(handling, s["available"], s["offered"]),
            "utilisation": ratio(handling, signed_in),
            "offers": self.offers,
            "answered": self.answered,
            "missed": self.missed,
            "declined": self.declined,
            "rona": ratio(self.missed, self.offers),
        }
        return {name: rounded(value) for name, value in found.items()}


@dataclass(frozen=True)
class Room:
    """All counsellors together, and how well the lines were covered."""

    window: Window
    as_of: datetime
    counsellors: list[Worked]
    all: Worked
    fairness: float | None
    # Share of the window in which somebody was there, for each line.
    coverage: dict[str, float]


async def room(work: Work, window: Window) -> Room:
    """Who worked how much in a window (of the country's zone)."""
    zones = await zones_of(work)
    names = {str(i): n for i, n in await work.session.execute(select(Staff.id, Staff.name))}
    async with reading(work.ground, work.now) as look:
        return await count_room(look, zones, window, names)


async def count_room(look: Reading, zones: Zones, window: Window, names: dict[str, str]) -> Room:
    since, until = window.instants(zones.country)
    seconds: dict[str, dict[str, int]] = {}
    covered: dict[str, int] = {}
    edges = int(since.timestamp()), int(until.timestamp())
    async for block in look.times(since, until, "time_"):
        await asyncio.to_thread(_add_time, block, look.words, edges, seconds)
    async for block in look.times(since, until, "covered_"):
        await asyncio.to_thread(_add_cover, block, look.words, edges, covered)
    cursor = look.connection.cursor(row_factory=dict_row)
    await cursor.execute(_OFFERS, {"since": since, "until": until})
    offered = {str(row["counsellor_id"]): row for row in await cursor.fetchall()}
    found = [
        _worked(one, names.get(one, one), seconds.get(one), offered.get(one))
        for one in sorted({*seconds, *offered}, key=lambda one: (names.get(one, one), one))
    ]
    lived = max(min(edges[1], int(look.now.timestamp())) - edges[0], 0)
    return Room(
        window, look.now, found, _together(found), _fairness(found),
        {line: (ratio(covered.get(line, 0), lived) or 0.0) for line in sorted(zones.of_line)},
    )  # fmt: skip


def _add_time(
    block: Block, words: dict[str, Words], edges: tuple[int, int],
    seconds: dict[str, dict[str, int]],
) -> None:  # fmt: skip
    if "time_counsellor" not in block.codes:
        return
    at = block.numbers["time_at"].astype(np.int64)
    inside = (at >= edges[0]) & (at < edges[1])
    codes = block.codes["time_counsellor"][inside]
    known = words["time_counsellor"].list
    for state in SIGNED_IN:
        sums = np.bincount(
            codes, weights=block.numbers[f"time_{state}"][inside], minlength=len(known)
        )
        for n, value in enumerate(sums):
            spent = seconds.setdefault(known[n], dict.fromkeys(SIGNED_IN, 0))
            spent[state] += int(value)


def _add_cover(
    block: Block, words: dict[str, Words], edges: tuple[int, int], covered: dict[str, int]
) -> None:
    if "covered_line" not in block.codes:
        return
    at = block.numbers["covered_at"].astype(np.int64)
    inside = (at >= edges[0]) & (at < edges[1])
    known = words["covered_line"].list
    sums = np.bincount(
        block.codes["covered_line"][inside], weights=block.numbers["covered_seconds"][inside],
        minlength=len(known),
    )  # fmt: skip
    for n, value in enumerate(sums):
        covered[known[n]] = covered.get(known[n], 0) + int(value)


def _worked(one: str, name: str, seconds: dict[str, int] | None, offered: Any) -> Worked:
    row = offered or {"offers": 0, "answered": 0, "missed": 0, "declined": 0}
    return Worked(
        one, name, seconds or dict.fromkeys(SIGNED_IN, 0),
        row["offers"], row["answered"], row["missed"], row["declined"],
    )  # fmt: skip


def _together(found: list[Worked]) -> Worked:
    return Worked(
        NONE, "All counsellors",
        {state: sum(one.seconds[state] for one in found) for state in SIGNED_IN},
        sum(one.offers for one in found), sum(one.answered for one in found),
        sum(one.missed for one in found), sum(one.declined for one in found),
    )  # fmt: skip


def _fairness(found: list[Worked]) -> float | None:
    rates = [
        one.offers * 3600 / one.seconds["available"]
        for one in found
        if one.seconds["available"] >= _AT_LEAST
    ]
    return rounded(jain(rates)) if rates else None


def room_table(found: Room) -> tuple[OutTable, Any]:
    """The same as a table."""
    columns = [
        OutColumn("counsellor", "text", "our id of the counsellor; `all` for the total"),
        OutColumn("name", "text", "name of the account"),
    ]
    for name, words in measures.STAFF_MEASURES.items():
        whole = name not in ("occupancy", "utilisation", "rona")
        columns.append(OutColumn(name, "whole" if whole else "number", words))
    notes = [
        f"from {found.window.begins.isoformat()} to {found.window.ends.isoformat()} (exclusive), "
        "in the country's time zone",
        f"as of {found.as_of.isoformat(timespec='seconds')}",
        f"fairness {found.fairness}: {measures.FAIRNESS_WORDS}",
        *(
            f"coverage of {line}: {rounded(share)}; {measures.COVERAGE_WORDS}"
            for line, share in found.coverage.items()
        ),
    ]
    table = OutTable("Counsellors", columns, notes)
    rows = [
        ["all" if one.id == NONE else one.id, one.name, *one.figures().values()]
        for one in [*found.counsellors, found.all]
    ]
    return table, batch_of(table, rows)
