"""Counsellors' time and offers, the fairness of offers, and the coverage of lines."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from psycopg.rows import dict_row
from sqlalchemy import select

from app.errors import Message
from app.routing.rota import roster
from app.routing.rota.on_duty import stretches
from app.routing.rota.shifts import Layer
from app.staff.models import Staff
from app.statistics import staff_measures
from app.statistics.counting import at_once
from app.statistics.counting.at_once import AtOnce
from app.statistics.counting.summary import Zones, zones_of
from app.statistics.exports.tables import OutColumn, OutTable, Said, batch_of, country_note
from app.statistics.facts.columns import Block, Words
from app.statistics.facts.days import Reading, reading
from app.statistics.facts.presence_time import QUARTER
from app.statistics.facts.unknowns import NONE
from app.statistics.measures import ratio, rounded
from app.statistics.periods import Window
from app.statistics.staff_measures import SIGNED_IN, jain, occupancy
from app.words.pages import N_
from app.work import Work

# A hand-over opens and is accepted in one instant: it does not count as an offer.
_OFFERS = """
SELECT o.counsellor_id, count(*) AS offers, count(o.connected_at) AS answered,
  count(*) FILTER (WHERE o.state = 'missed') AS missed,
  count(*) FILTER (WHERE o.state = 'declined') AS declined
FROM offers o JOIN calls c ON c.id = o.call_id LEFT JOIN lines l ON l.id = c.line_id
WHERE o.opened_at >= %(since)s AND o.opened_at < %(until)s AND NOT coalesce(l.practice, false)
  AND c.direction = 'inbound' AND o.expires_at > o.opened_at
GROUP BY o.counsellor_id
"""
_CONTACTS = """
SELECT k.owner_id, count(*) AS contacts
FROM contacts k LEFT JOIN calls c ON c.id = k.call_id LEFT JOIN lines l ON l.id = c.line_id
WHERE coalesce(c.opened_at, k.taken_at) >= %(since)s
  AND coalesce(c.opened_at, k.taken_at) < %(until)s AND NOT coalesce(l.practice, false)
GROUP BY k.owner_id
"""
# In seconds: a counsellor who was available for less is left out of the fairness index.
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
    contacts: int = 0
    # Seconds on the rota until now, and how many of these were signed in, by quarter-hours.
    rostered: int = 0
    kept: int = 0
    # Written conversations at once.
    load: AtOnce = field(default_factory=AtOnce)

    def figures(self) -> dict[str, float | int | None]:
        s = self.seconds
        handling = s["on_call"] + s["writing"] + s["wrap_up"]
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
            "contacts": self.contacts,
            "contacts_per_hour": ratio(self.contacts * 3600, signed_in),
            "rostered": self.rostered,
            "adherence": ratio(self.kept, self.rostered),
            **self.load.figures(),
        }
        return {name: rounded(value) for name, value in found.items()}


@dataclass(frozen=True)
class AllCounsellors:
    """All counsellors together, and how well the lines were covered."""

    window: Window
    as_of: datetime
    counsellors: list[Worked]
    all: Worked
    fairness: float | None
    # For each line, the share of the window in which a counsellor was there.
    coverage: dict[str, float]


async def room(work: Work, window: Window) -> AllCounsellors:
    """Return how much each counsellor worked in a window (in the country's zone)."""
    zones = await zones_of(work)
    names = {str(i): n for i, n in await work.session.execute(select(Staff.id, Staff.name))}
    planned = await _planned(work, zones, window)
    async with reading(work.ground, work.now) as look:
        return await count_room(look, zones, window, names, planned)


# Seconds by counsellor and quarter-hour (its beginning in seconds since 1970).
Quarters = dict[str, dict[int, int]]


async def _planned(work: Work, zones: Zones, window: Window) -> Quarters:
    """Return the part of a window's rota that is over: who was on duty, and for how long."""
    since, until = window.instants(zones.country)
    until = min(until, work.now)
    found: Quarters = {}
    if since >= until:
        return found
    for duty in stretches(await roster.rota_then(work, since), since, until):
        if duty.layer is not Layer.PRIMARY:
            continue
        at, end = (int(max(duty.start, since).timestamp()), int(min(duty.end, until).timestamp()))
        mine = found.setdefault(str(duty.counsellor_id), {})
        while at < end:
            quarter = at - at % QUARTER
            step = min(end, quarter + QUARTER)
            mine[quarter] = min(mine.get(quarter, 0) + step - at, QUARTER)
            at = step
    return found


async def count_room(
    look: Reading, zones: Zones, window: Window, names: dict[str, str], planned: Quarters
) -> AllCounsellors:
    """Count from one reading of the facts; `planned` is the rota of the window."""
    since, until = window.instants(zones.country)
    seconds: dict[str, dict[str, int]] = {}
    present: Quarters = {}
    covered: dict[str, int] = {}
    edges = int(since.timestamp()), int(until.timestamp())
    async for block in look.times(since, until, "time_"):
        await asyncio.to_thread(_add_time, block, look.words, edges, seconds)
        await asyncio.to_thread(_add_present, block, look.words, edges, planned, present)
    async for block in look.times(since, until, "covered_"):
        await asyncio.to_thread(_add_cover, block, look.words, edges, covered)
    cursor = look.connection.cursor(row_factory=dict_row)
    await cursor.execute(_OFFERS, {"since": since, "until": until})
    offered = {str(row["counsellor_id"]): row for row in await cursor.fetchall()}
    await cursor.execute(_CONTACTS, {"since": since, "until": until})
    wrote = {str(row["owner_id"]): int(row["contacts"]) for row in await cursor.fetchall()}
    loads = await at_once.by_counsellor(look, zones, window)
    known = {*seconds, *offered, *planned, *wrote, *loads}
    found = [
        _worked(
            one,
            names.get(one, one),
            seconds.get(one),
            offered.get(one),
            wrote.get(one, 0),
            planned.get(one, {}),
            present.get(one, {}),
            loads.get(one, AtOnce()),
        )
        for one in sorted(known, key=lambda one: (names.get(one, one), one))
    ]
    lived = max(min(edges[1], int(look.now.timestamp())) - edges[0], 0)
    return AllCounsellors(
        window,
        look.now,
        found,
        _together(found),
        _fairness(found),
        {line: (ratio(covered.get(line, 0), lived) or 0.0) for line in sorted(zones.of_line)},
    )


def _add_time(
    block: Block,
    words: dict[str, Words],
    edges: tuple[int, int],
    seconds: dict[str, dict[str, int]],
) -> None:
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


def _add_present(
    block: Block,
    words: dict[str, Words],
    edges: tuple[int, int],
    planned: Quarters,
    present: Quarters,
) -> None:
    """Add the seconds signed in, for quarter-hours in which the counsellor was on the rota."""
    if "time_counsellor" not in block.codes:
        return
    at = block.numbers["time_at"].astype(np.int64)
    signed_in = sum(block.numbers[f"time_{state}"].astype(np.int64) for state in SIGNED_IN)
    known = words["time_counsellor"].list
    inside = np.flatnonzero((at >= edges[0]) & (at < edges[1]) & (signed_in > 0))
    codes = block.codes["time_counsellor"][inside]
    for code, quarter, spent in zip(codes, at[inside], np.asarray(signed_in)[inside], strict=True):
        mine = planned.get(known[code])
        if mine is not None and int(quarter) in mine:
            there = present.setdefault(known[code], {})
            there[int(quarter)] = there.get(int(quarter), 0) + int(spent)


def _add_cover(
    block: Block, words: dict[str, Words], edges: tuple[int, int], covered: dict[str, int]
) -> None:
    if "covered_line" not in block.codes:
        return
    at = block.numbers["covered_at"].astype(np.int64)
    inside = (at >= edges[0]) & (at < edges[1])
    known = words["covered_line"].list
    sums = np.bincount(
        block.codes["covered_line"][inside],
        weights=block.numbers["covered_seconds"][inside],
        minlength=len(known),
    )
    for n, value in enumerate(sums):
        covered[known[n]] = covered.get(known[n], 0) + int(value)


def _worked(
    one: str,
    name: str,
    seconds: dict[str, int] | None,
    offered: Any,
    contacts: int,
    planned: dict[int, int],
    present: dict[int, int],
    load: AtOnce,
) -> Worked:
    row = offered or {"offers": 0, "answered": 0, "missed": 0, "declined": 0}
    return Worked(
        one,
        name,
        seconds or dict.fromkeys(SIGNED_IN, 0),
        row["offers"],
        row["answered"],
        row["missed"],
        row["declined"],
        contacts,
        sum(planned.values()),
        sum(min(n, present.get(at, 0)) for at, n in planned.items()),
        load,
    )


def _together(found: list[Worked]) -> Worked:
    return Worked(
        NONE,
        N_("All counsellors"),
        {state: sum(one.seconds[state] for one in found) for state in SIGNED_IN},
        sum(one.offers for one in found),
        sum(one.answered for one in found),
        sum(one.missed for one in found),
        sum(one.declined for one in found),
        sum(one.contacts for one in found),
        sum(one.rostered for one in found),
        sum(one.kept for one in found),
        at_once.together([one.load for one in found]),
    )


def _fairness(found: list[Worked]) -> float | None:
    rates = [
        one.offers * 3600 / one.seconds["available"]
        for one in found
        if one.seconds["available"] >= _AT_LEAST
    ]
    return rounded(jain(rates)) if rates else None


_PARTS = (
    "occupancy",
    "utilisation",
    "rona",
    "contacts_per_hour",
    "adherence",
    "chats_at_once",
    "chats_1",
    "chats_2",
    "chats_3",
    "chats_more",
)


def room_table(found: AllCounsellors) -> tuple[OutTable, Any]:
    """Return the counsellors of the room as a table."""
    columns = [
        OutColumn("counsellor", "text", "our id of the counsellor; `all` for the total"),
        OutColumn("name", "text", "name of the account"),
    ]
    for name, words in (staff_measures.STAFF_MEASURES | staff_measures.AT_ONCE).items():
        whole = name not in _PARTS
        columns.append(OutColumn(name, "whole" if whole else "number", words))
    notes: list[Said] = [
        country_note(found.window),
        Message("as of %(at)s", at=found.as_of.isoformat(timespec="seconds")),
        Message(
            "fairness %(value)s: %(words)s",
            value=found.fairness,
            words=Message(staff_measures.FAIRNESS_WORDS),
        ),
        *(
            Message(
                "coverage of %(line)s: %(share)s; %(words)s",
                line=line,
                share=rounded(share),
                words=Message(staff_measures.COVERAGE_WORDS),
            )
            for line, share in found.coverage.items()
        ),
    ]
    table = OutTable("Counsellors", columns, notes)
    rows = [
        ["all" if one.id == NONE else one.id, one.name, *one.figures().values()]
        for one in [*found.counsellors, found.all]
    ]
    return table, batch_of(table, rows)
