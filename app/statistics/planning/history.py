"""What the forecast is made of: how many calls and conversations came in past half hours of each
weekday, and how long they took.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from app.calls.hours import OwnDays, is_holiday
from app.calls.lines import finding_lines
from app.contacts.states import ContactChannel
from app.database.topics import Topic
from app.routing.rota import roster
from app.statistics.counting import at_once
from app.statistics.counting.at_once import AtOnce as AtOnceMeasured
from app.statistics.counting.summary import Zones
from app.statistics.facts.days import reading
from app.statistics.facts.questions import Planning
from app.statistics.periods import Window, day_begins
from app.statistics.planning.erlang import AtOnce
from app.statistics.planning.own_planning import planning_of
from app.work import Work

WEEKS = 8
# Seconds, while no call was answered: a counselling talk, as helplines of the region report it.
_AHT_UNKNOWN = 900.0
# The channels by which children write.
_WRITTEN = (
    ContactChannel.CHAT,
    ContactChannel.SMS,
    ContactChannel.WHATSAPP,
    ContactChannel.TELEGRAM,
    ContactChannel.VIBER,
    ContactChannel.SIGNAL,
)
# Calls of the last minutes hardly change the mean of eight weeks.
_BELIEVED = timedelta(minutes=10)


class Calendar(NamedTuple):
    """Which days are holidays: those of a country, and the helpline's own exceptions."""

    country: str | None
    own: OwnDays

    def is_free(self, day: date, zone: ZoneInfo) -> bool:
        return is_holiday(day, zone, self.country, self.own)


async def calendar_of(work: Work, number: str | None) -> Calendar:
    """Return the calendar of a line, that of its opening hours; for all lines, the helpline's,
    which the rota goes by."""
    line = await finding_lines.line_of_number(work, number) if number else None
    line = line or await finding_lines.any_line(work)
    own = (await roster.rota_of(work)).own_days
    return Calendar(line.country if line is not None else None, own)


@dataclass(frozen=True)
class Load:
    """Past half hours: mean number by weekday and half hour, and handling time in seconds."""

    by_slot: dict[tuple[int, int], float]
    holidays: dict[int, float]
    aht: float

    def of(self, weekday: int, slot: int, *, holiday: bool) -> float:
        return self.holidays[slot] if holiday else self.by_slot[weekday, slot]


@dataclass(frozen=True)
class History:
    """The past load of calls, and that of written conversations."""

    calls: Load
    chats: Load
    planning: Planning
    # Conversations at once in the last weeks, of all lines.
    load: AtOnceMeasured


@dataclass
class _Counted:
    """In one channel: how many entered in each half hour of each day, and how long they took."""

    entered: dict[date, dict[int, int]]
    # Seconds of talk with hold, and of wrap-up.
    talked: int = 0
    wrapped: int = 0
    answered: int = 0

    def load(self, days: list[date], free: set[date], by_itself: float = 1.0) -> Load:
        """Return means over days, and those over free days, which are as Sundays if none was.

        `by_itself`: the part of its time that a talk would have taken without others at once.
        """
        by_slot: dict[tuple[int, int], float] = {}
        for weekday in range(7):
            same = [d for d in days if d.weekday() == weekday]
            for slot in range(48):
                counts = [self.entered[d][slot] for d in same]
                by_slot[weekday, slot] = sum(counts) / len(counts) if counts else 0.0
        holidays = {
            slot: sum(self.entered[d][slot] for d in free) / len(free) if free else by_slot[6, slot]
            for slot in range(48)
        }
        handled = self.talked * by_itself + self.wrapped
        aht = handled / self.answered if self.answered else _AHT_UNKNOWN
        return Load(by_slot, holidays, aht)


async def known_history(
    work: Work, zones: Zones, zone: ZoneInfo, today: date, line: str | None, calendar: Calendar
) -> History:
    """Return what the last weeks say; the facts of a year are not counted for every page."""
    days = calendar.country, *sorted(calendar.own.items())
    slowdown = planning_of(work.ground).slowdown
    memory, key = work.ground.memory, ("forecast", line, today, days, slowdown)
    known: History | None = memory.recall(Topic.LINES, key, work.now)
    if known is None:
        known = await _history(work, zones, zone, today, line, calendar)
        memory.keep(Topic.LINES, key, known, work.now + _BELIEVED)
    return known


async def _history(
    work: Work, zones: Zones, zone: ZoneInfo, today: date, line: str | None, calendar: Calendar
) -> History:
    since, until = day_begins(today - timedelta(days=366), zone), day_begins(today, zone)
    recent = day_begins(today - timedelta(days=7 * WEEKS), zone)
    spoken, written = (_Counted(defaultdict(lambda: defaultdict(int))) for _ in range(2))
    async with reading(work.ground, work.now) as look:
        names = ["at", "line", "queued", "talk", "hold", "wrap", "outcome", "channel"]
        async for block in look.blocks(since, until, names):
            if not block.size:
                continue
            chosen = block.numbers["queued"] >= 0
            at = block.numbers["at"].astype(np.int64)
            chosen &= (at >= since.timestamp()) & (at < until.timestamp())
            if line is not None:
                chosen &= block.codes["line"] == look.words["line"].number(line)
            in_writing = np.isin(
                block.codes["channel"], [look.words["channel"].number(one) for one in _WRITTEN]
            )
            for found, which in ((spoken, chosen & ~in_writing), (written, chosen & in_writing)):
                counted = (at[which].tolist(), zone, found.entered)
                await asyncio.to_thread(_count_half_hours, *counted)
                talked = which & (at >= recent.timestamp())
                talked &= block.codes["outcome"] == look.words["outcome"].number("answered")
                found.answered += int(talked.sum())
                talk, hold, wrap = (
                    int(block.numbers[name][talked].sum(dtype=np.int64))
                    for name in ("talk", "hold", "wrap")
                )
                found.talked += talk + hold
                found.wrapped += wrap
        load = await at_once.by_counsellor(look, zones, Window(recent, until))
        planning = planning_of(work.ground)
    # Days before the first call say nothing about the line.
    first = min([*spoken.entered, *written.entered], default=today)
    free = {
        day for day in _days(since, until, zone) if day >= first and calendar.is_free(day, zone)
    }
    weeks = [d for d in _days(recent, until, zone) if d >= first and d not in free]
    measured = at_once.together(list(load.values()))
    alone = _by_itself(measured, planning.slowdown)
    chats = written.load(weeks, free, alone)
    return History(spoken.load(weeks, free), chats, planning, measured)


def _by_itself(measured: AtOnceMeasured, slowdown: float) -> float:
    """Return which part of its time a conversation would have taken by itself.

    In a second with `n` conversations at once, `AtOnce.ended(n)` seconds of work of one by itself
    are done, and `n` seconds of conversations pass.
    """
    pace = AtOnce(1, slowdown)
    passed = sum(n * seconds for n, seconds in measured.seconds.items())
    done = sum(pace.ended(n) * seconds for n, seconds in measured.seconds.items())
    return done / passed if passed else 1.0


def _count_half_hours(
    seconds: list[int], zone: ZoneInfo, entered: dict[date, dict[int, int]]
) -> None:
    for second in seconds:
        local = datetime.fromtimestamp(second, UTC).astimezone(zone)
        entered[local.date()][local.hour * 2 + local.minute // 30] += 1


def _days(since: datetime, until: datetime, zone: ZoneInfo) -> list[date]:
    day, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    return [day + timedelta(days=n) for n in range((last - day).days)]
