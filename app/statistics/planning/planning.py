"""How many counsellors the coming week needs, compared with the rota.

The forecast for each half hour of a weekday is the mean of the same half hour in the last eight
weeks; for a public holiday, the mean of the holidays of the last year, or of Sundays if there were
none. The handling time is that of the same weeks. Staff is computed by Erlang A with the patience
of `facts.yaml`, and by Erlang C for comparison; the rostered staff comes from the rota.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import select

from app.calls.hours import is_holiday
from app.database.topics import Topic
from app.errors import Invalid, Message
from app.referrals.library import protocols_of
from app.routing.rota import roster
from app.routing.rota.on_duty import stretches
from app.routing.rota.shifts import Duty, Layer
from app.staff.models import Staff
from app.statistics.counting.summary import zones_of
from app.statistics.facts.days import reading
from app.statistics.facts.questions import Planning
from app.statistics.periods import day_begins
from app.statistics.planning.erlang import Forecast, erlang_a, needed, with_shrinkage
from app.work import Work

HALF_HOUR = 1800
WEEKS = 8
# Seconds, while no call was answered: a counselling talk, as helplines of the region report it.
_AHT_UNKNOWN = 900.0
_MOST_MORE = 50
# Calls of the last minutes hardly change the mean of eight weeks.
_BELIEVED = timedelta(minutes=10)


@dataclass(frozen=True)
class Slot:
    """A future half hour."""

    begins: datetime
    local: str
    calls: float
    aht: float
    holiday: bool
    rostered: int
    # How many counsellors must be able to take calls, and how many to roster for that.
    needed: int
    to_roster: int
    by_erlang_c: int
    expected: Forecast

    @property
    def missing(self) -> int:
        """How many more counsellors to roster (negative: fewer would do)."""
        return self.to_roster - self.rostered


@dataclass(frozen=True)
class Plan:
    """The coming week."""

    slots: list[Slot]
    as_of: datetime
    zone: str
    line: str | None
    more: int
    target: int
    planning: Planning
    words: tuple[Message, ...]


def words_of(planning: Planning, target: int) -> tuple[Message, ...]:
    """Return what the numbers mean, in words."""
    return (
        Message(
            "calls: those expected to enter the queue: the mean of the same half hour of the "
            "weekday in the last %(weeks)s weeks; on a public holiday, the mean of the last year's "
            "holidays",
            weeks=WEEKS,
        ),
        Message(
            "needed: the fewest counsellors with whom %(share)s of callers are answered within "
            "%(target)s s, by Erlang A with a patience of %(patience)s s; at least %(least)s",
            share=f"{planning.target_share:.0%}",
            target=target,
            patience=planning.patience_seconds,
            least=planning.at_least,
        ),
        Message(
            "to roster: needed ÷ (1 − shrinkage of %(shrinkage)s), rounded up",
            shrinkage=f"{planning.shrinkage:.0%}",
        ),
        Message("by Erlang C: the same if no caller ever gave up"),
        Message(
            "expected: what callers experience with the rostered counsellors, less the shrinkage"
        ),
    )


async def plan(
    work: Work,
    *,
    line: str | None = None,
    days: int = 7,
    more: int = 0,
    first_on: date | None = None,
) -> Plan:
    """Plan days from a local midnight on (default: today's), with `more` counsellors than are
    rostered.

    Raises Invalid.
    """
    if abs(more) > _MOST_MORE:
        raise Invalid(
            "Give at most %(most)s counsellors more or fewer than rostered.",
            most=_MOST_MORE,
        )
    zones = await zones_of(work)
    zones.check(line)
    zone = zones.of_line[line] if line else zones.country
    today = work.now.astimezone(zone).date()
    history = await _known_history(work, zone, today, line)
    begins = first_on or today
    first, last = day_begins(begins, zone), day_begins(begins + timedelta(days=days), zone)
    on = await _duties(work, line, first, last)
    country = protocols_of(work.ground).current.country
    target = work.settings.service_level_seconds
    slots = await asyncio.to_thread(_slots, first, last, zone, history, on, country, target, more)
    words = words_of(history.planning, target)
    return Plan(slots, work.now, zone.key, line, more, target, history.planning, words)


@dataclass
class _History:
    """Past half hours: mean calls by weekday and half hour, and handling time in seconds."""

    by_slot: dict[tuple[int, int], float]
    holidays: dict[int, float]
    aht: float
    planning: Planning


async def _known_history(work: Work, zone: ZoneInfo, today: date, line: str | None) -> _History:
    """Return what the last weeks say; the facts of a year are not counted for every page."""
    memory, key = work.ground.memory, ("forecast", line, today)
    known: _History | None = memory.recall(Topic.LINES, key, work.now)
    if known is None:
        known = await _history(work, zone, today, line)
        memory.keep(Topic.LINES, key, known, work.now + _BELIEVED)
    return known


async def _history(work: Work, zone: ZoneInfo, today: date, line: str | None) -> _History:
    country = protocols_of(work.ground).current.country
    since, until = day_begins(today - timedelta(days=366), zone), day_begins(today, zone)
    recent = day_begins(today - timedelta(days=7 * WEEKS), zone)
    entered: dict[date, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    handled = answered = 0
    async with reading(work.ground, work.now) as look:
        names = ["at", "line", "queued", "talk", "hold", "wrap", "outcome"]
        async for block in look.blocks(since, until, names):
            if not block.size:
                continue
            chosen = block.numbers["queued"] >= 0
            at = block.numbers["at"].astype(np.int64)
            chosen &= (at >= since.timestamp()) & (at < until.timestamp())
            if line is not None:
                chosen &= block.codes["line"] == look.words["line"].number(line)
            await asyncio.to_thread(_count_half_hours, at[chosen].tolist(), zone, entered)
            talked = chosen & (at >= recent.timestamp())
            talked &= block.codes["outcome"] == look.words["outcome"].number("answered")
            answered += int(talked.sum())
            for name in ("talk", "hold", "wrap"):
                handled += int(block.numbers[name][talked].sum(dtype=np.int64))
        planning = look.asked.planning
    # Days before the first call say nothing about the line.
    first = min(entered, default=today)
    free = {
        day for day in _days(since, until, zone) if day >= first and is_holiday(day, zone, country)
    }
    weeks = [d for d in _days(recent, until, zone) if d >= first and d not in free]
    by_slot: dict[tuple[int, int], float] = {}
    for weekday in range(7):
        same = [d for d in weeks if d.weekday() == weekday]
        for slot in range(48):
            counts = [entered[d][slot] for d in same]
            by_slot[weekday, slot] = sum(counts) / len(counts) if counts else 0.0
    holidays = {
        slot: sum(entered[d][slot] for d in free) / len(free) if free else by_slot[6, slot]
        for slot in range(48)
    }
    aht = handled / answered if answered else _AHT_UNKNOWN
    return _History(by_slot, holidays, aht, planning)


def _count_half_hours(
    seconds: list[int], zone: ZoneInfo, entered: dict[date, dict[int, int]]
) -> None:
    for second in seconds:
        local = datetime.fromtimestamp(second, UTC).astimezone(zone)
        entered[local.date()][local.hour * 2 + local.minute // 30] += 1


def _days(since: datetime, until: datetime, zone: ZoneInfo) -> list[date]:
    day, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    return [day + timedelta(days=n) for n in range((last - day).days)]


async def _duties(work: Work, line: str | None, first: datetime, last: datetime) -> list[Duty]:
    """Return the first-layer duties of counsellors who may take calls of the line."""
    found = [
        duty
        for duty in stretches(await roster.rota_of(work), first, last)
        if duty.layer is Layer.PRIMARY
    ]
    if line is None:
        return found
    rows = await work.session.execute(select(Staff.id, Staff.lines))
    able = {staff_id for staff_id, lines in rows if not lines or line in lines}
    return [duty for duty in found if duty.counsellor_id in able]


def _slots(
    first: datetime,
    last: datetime,
    zone: ZoneInfo,
    history: _History,
    on: list[Duty],
    country: str | None,
    target: int,
    more: int,
) -> list[Slot]:
    found = []
    at = first
    known: dict[tuple[float, int], tuple[int, int, Forecast]] = {}
    holidays: dict[date, bool] = {}
    while at < last:
        local = at.astimezone(zone)
        holiday = holidays.setdefault(local.date(), is_holiday(local.date(), zone, country))
        slot = local.hour * 2 + local.minute // 30
        calls = history.holidays[slot] if holiday else history.by_slot[local.weekday(), slot]
        # A counsellor who begins or ends within the half hour counts for that part of it.
        there = sum(overlap(duty, at) for duty in on)
        rostered = max(int(there + 0.5) + more, 0)
        key = (round(calls, 6), rostered)
        if key not in known:
            known[key] = _work_out(calls, history, rostered, target)
        best, by_c, expected = known[key]
        found.append(
            Slot(
                at,
                local.isoformat(timespec="minutes"),
                calls,
                history.aht,
                holiday,
                rostered,
                best,
                with_shrinkage(best, history.planning.shrinkage),
                by_c,
                expected,
            )
        )
        at += timedelta(seconds=HALF_HOUR)
    return found


def overlap(duty: Duty, at: datetime) -> float:
    """Return which part of the half hour from an instant on a stretch of duty holds."""
    end = at + timedelta(seconds=HALF_HOUR)
    shared = min(duty.end, end) - max(duty.start, at)
    return max(shared.total_seconds(), 0.0) / HALF_HOUR


def _work_out(
    calls: float, history: _History, rostered: int, target: int
) -> tuple[int, int, Forecast]:
    planning, aht = history.planning, history.aht
    patience = float(planning.patience_seconds)
    best = needed(calls, HALF_HOUR, aht, target, planning.target_share, patience)
    plain = needed(calls, HALF_HOUR, aht, target, planning.target_share)
    taking = int(rostered * (1 - planning.shrinkage) + 0.5) if rostered else 0
    taking = max(taking, 1) if rostered else 0
    expected = erlang_a(calls, HALF_HOUR, aht, taking, target, patience)
    return max(best.staff, planning.at_least), max(plain.staff, planning.at_least), expected


def as_json(found: Plan) -> dict[str, Any]:
    """Return the plan for programs."""
    return {
        "as_of": found.as_of,
        "time_zone": found.zone,
        "line": found.line,
        "more": found.more,
        "target_seconds": found.target,
        "definitions": [str(words) for words in found.words],
        "half_hours": [
            {
                "begins_at": slot.begins,
                "local": slot.local,
                "holiday": slot.holiday,
                "calls": round(slot.calls, 3),
                "aht_seconds": round(slot.aht, 1),
                "rostered": slot.rostered,
                "needed": slot.needed,
                "to_roster": slot.to_roster,
                "needed_by_erlang_c": slot.by_erlang_c,
                "missing": slot.missing,
                "expected_service_level": round(slot.expected.service_level, 4),
                "expected_mean_wait_seconds": round(slot.expected.mean_wait, 1),
                "expected_abandoned": round(slot.expected.abandoned, 4),
            }
            for slot in found.slots
        ],
    }
