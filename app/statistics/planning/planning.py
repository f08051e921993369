"""How many counsellors the coming week needs, compared with the rota.

The forecast for each half hour of a weekday is the mean of the same half hour in the last eight
weeks; for a holiday (a public one of the line's country, with the helpline's own exceptions), the
mean of the holidays of the last year, or of Sundays if there were none. The handling time is that
of the same weeks. Staff is computed by Erlang A with the patience of `facts.yaml`, and by Erlang C
for comparison; the rostered staff comes from the rota.

Calls and written conversations are forecast apart. A counsellor has several of the latter at once,
as many as their account and the lines allow (`erlang.py`). What was measured is how long a
conversation took among others; the model needs how long it takes by itself, which follows from how
many counsellors had at once in the same weeks. Those who write and those who take calls at the same
time are added up, and of the latter there are at least as many as a line keeps for calls.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.calls.chat_rules import read_chat
from app.calls.lines.line_rows import Line
from app.errors import Invalid, Message, Share
from app.routing.rota import roster
from app.routing.rota.on_duty import stretches
from app.routing.rota.shifts import Duty, Layer
from app.staff.models import Staff
from app.statistics.counting.summary import zones_of
from app.statistics.facts.questions import Planning
from app.statistics.measures import rounded
from app.statistics.periods import day_begins
from app.statistics.planning.erlang import AtOnce, Forecast, erlang_a, needed, with_shrinkage
from app.statistics.planning.history import WEEKS, Calendar, History, calendar_of, known_history
from app.statistics.planning.own_planning import planning_of
from app.work import Work

HALF_HOUR = 1800
_MOST_MORE = 50


@dataclass(frozen=True)
class PlannedSlot:
    """A future half hour."""

    begins: datetime
    local: str
    calls: float
    aht: float
    holiday: bool
    rostered: int
    # How many counsellors must be there, and how many to roster for that.
    needed: int
    to_roster: int
    by_erlang_c: int
    # What callers experience with those who are rostered, and what children who write do.
    expected: Forecast
    # Written conversations: how many are expected, who is needed for them (a part of `needed`).
    chats: float
    chat_aht: float
    needed_to_write: int
    # How many of those to roster must be able to write.
    writers_to_roster: int
    expected_in_writing: Forecast

    @property
    def needed_for_calls(self) -> int:
        return self.needed - self.needed_to_write

    @property
    def missing(self) -> int:
        """How many more counsellors to roster (negative: fewer would do)."""
        return self.to_roster - self.rostered


@dataclass(frozen=True)
class WeekPlan:
    """The coming week."""

    slots: list[PlannedSlot]
    as_of: datetime
    zone: str
    line: str | None
    more: int
    target: int
    planning: Planning
    # None: no child writes.
    writing: "Writing | None"
    # How many conversations counsellors had at once, on average, while they had one; None: none.
    measured_at_once: float | None
    words: tuple[Message, ...]


@dataclass(frozen=True)
class Writing:
    """How counsellors write: how many conversations at once, and how many are kept for calls."""

    at_once: int
    kept_for_calls: int


def words_of(
    planning: Planning,
    target: int,
    writing: Writing | None = None,
    measured: float | None = None,
) -> tuple[Message, ...]:
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
            share=Share(planning.target_share),
            target=target,
            patience=planning.patience_seconds,
            least=planning.at_least,
        ),
        Message(
            "to roster: needed ÷ (1 − shrinkage of %(shrinkage)s), rounded up",
            shrinkage=Share(planning.shrinkage),
        ),
        Message("by Erlang C: the same if no caller ever gave up"),
        Message(
            "expected: what callers experience with the rostered counsellors, less the shrinkage"
        ),
        *(_words_in_writing(planning, writing, measured) if writing is not None else ()),
    )


def _words_in_writing(
    planning: Planning, writing: Writing, measured: float | None
) -> tuple[Message, ...]:
    by_itself = Message(
        "handling time of a conversation: what it would take by itself; in the last weeks "
        "counsellors had %(measured)s at once on average, and that was slower",
        measured=round(float(measured or 0), 1),
    )
    return (
        *((by_itself,) if measured is not None else ()),
        Message(
            "written conversations: a counsellor has up to %(at_once)s at once, and each takes "
            "%(slowdown)s longer for every further one; answered and patient as callers are",
            at_once=writing.at_once,
            slowdown=Share(planning.slowdown),
        ),
        Message(
            "needed to write: the counsellors for these; they are added to those for calls, who "
            "are at least %(kept)s",
            kept=writing.kept_for_calls,
        ),
    )


async def plan(
    work: Work,
    *,
    line: str | None = None,
    days: int = 7,
    more: int = 0,
    first_on: date | None = None,
) -> WeekPlan:
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
    calendar = await calendar_of(work, line)
    history = await known_history(work, zones, zone, today, line, calendar)
    history = replace(history, planning=planning_of(work.ground))
    begins = first_on or today
    first, last = day_begins(begins, zone), day_begins(begins + timedelta(days=days), zone)
    on = await _duties(work, line, first, last)
    target = work.settings.service_level_seconds
    writing = await _writing(work, line)
    days_of = _Days(first, last, zone, calendar)
    slots = await asyncio.to_thread(_slots, days_of, history, writing, on, target, more)
    measured = history.load.figures()["chats_at_once"]
    return WeekPlan(
        slots,
        work.now,
        zone.key,
        line,
        more,
        target,
        history.planning,
        writing,
        measured,
        words_of(history.planning, target, writing, measured),
    )


async def _writing(work: Work, line: str | None) -> Writing | None:
    """Return how counsellors write with children now; None if no line takes conversations.

    The fewest at once of the two rules, the counsellor's and the line's, count, on average.
    """
    rows = await work.session.execute(
        select(Line.number, Line.chat).where(Line.active, Line.practice.is_(False))
    )
    rules = {
        number: found
        for number, chat in rows
        if (found := read_chat(chat)).on and line in (None, number)
    }
    if not rules:
        return None
    most = max(one.at_once for one in rules.values())
    people = await work.session.execute(
        select(Staff.chats_at_once, Staff.lines).where(Staff.active, Staff.chats_at_once > 0)
    )
    places = [
        min(at_once, most) for at_once, lines in people if not lines or set(lines) & set(rules)
    ]
    at_once = round(sum(places) / len(places)) if places else most
    return Writing(max(at_once, 1), max(one.reserve for one in rules.values()))


@dataclass(frozen=True)
class _Days:
    """The days that are planned."""

    first: datetime
    last: datetime
    zone: ZoneInfo
    calendar: "Calendar"


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
    days: _Days,
    history: History,
    writing: Writing | None,
    on: list[Duty],
    target: int,
    more: int,
) -> list[PlannedSlot]:
    found = []
    at = days.first
    known: dict[tuple[float, float, int], _Worked] = {}
    holidays: dict[date, bool] = {}
    while at < days.last:
        local = at.astimezone(days.zone)
        today = local.date()
        if today not in holidays:
            holidays[today] = days.calendar.is_free(today, days.zone)
        holiday = holidays[today]
        slot = local.hour * 2 + local.minute // 30
        calls = history.calls.of(local.weekday(), slot, holiday=holiday)
        chats = history.chats.of(local.weekday(), slot, holiday=holiday)
        # A counsellor who begins or ends within the half hour counts for that part of it.
        there = sum(overlap(duty, at) for duty in on)
        rostered = max(int(there + 0.5) + more, 0)
        key = (round(calls, 6), round(chats, 6), rostered)
        if key not in known:
            known[key] = _work_out(calls, chats, history, writing, rostered, target)
        worked = known[key]
        found.append(
            PlannedSlot(
                at,
                local.isoformat(timespec="minutes"),
                calls,
                history.calls.aht,
                holiday,
                rostered,
                worked.needed,
                with_shrinkage(worked.needed, history.planning.shrinkage),
                worked.by_erlang_c,
                worked.expected,
                chats,
                history.chats.aht,
                worked.to_write,
                with_shrinkage(worked.to_write, history.planning.shrinkage),
                worked.expected_in_writing,
            )
        )
        at += timedelta(seconds=HALF_HOUR)
    return found


def overlap(duty: Duty, at: datetime) -> float:
    """Return which part of the half hour from an instant on a stretch of duty holds."""
    end = at + timedelta(seconds=HALF_HOUR)
    shared = min(duty.end, end) - max(duty.start, at)
    return max(shared.total_seconds(), 0.0) / HALF_HOUR


class _Worked(NamedTuple):
    """Who is needed in a half hour, and what comes of those who are rostered."""

    needed: int
    to_write: int
    by_erlang_c: int
    expected: Forecast
    expected_in_writing: Forecast


def _work_out(
    calls: float,
    chats: float,
    history: History,
    writing: Writing | None,
    rostered: int,
    target: int,
) -> _Worked:
    planning, aht = history.planning, history.calls.aht
    patience, share = float(planning.patience_seconds), planning.target_share
    best = needed(calls, HALF_HOUR, aht, target, share, patience).staff
    plain = needed(calls, HALF_HOUR, aht, target, share).staff
    to_write, pace = 0, AtOnce(1, 0.0)
    if writing is not None:
        pace = AtOnce(writing.at_once, planning.slowdown)
        chat_aht = history.chats.aht
        to_write = needed(chats, HALF_HOUR, chat_aht, target, share, patience, pace).staff
    if writing is not None and to_write:
        best, plain = (max(one, writing.kept_for_calls) for one in (best, plain))
    taking = int(rostered * (1 - planning.shrinkage) + 0.5) if rostered else 0
    taking = max(taking, 1) if rostered else 0
    # Too few share the need of both; the counsellors beyond the need take calls.
    write = min(to_write, round(taking * to_write / (best + to_write))) if to_write else 0
    return _Worked(
        max(best + to_write, planning.at_least),
        to_write,
        max(plain + to_write, planning.at_least),
        erlang_a(calls, HALF_HOUR, aht, taking - write, target, patience),
        erlang_a(chats, HALF_HOUR, history.chats.aht, write, target, patience, pace),
    )


def as_json(found: WeekPlan) -> dict[str, Any]:
    """Return the plan for programs."""
    return {
        "as_of": found.as_of,
        "time_zone": found.zone,
        "line": found.line,
        "more": found.more,
        "target_seconds": found.target,
        "chats_at_once": found.writing.at_once if found.writing is not None else None,
        "measured_chats_at_once": rounded(found.measured_at_once),
        "definitions": [str(words) for words in found.words],
        "half_hours": [
            {
                "begins_at": slot.begins,
                "local": slot.local,
                "holiday": slot.holiday,
                "calls": round(slot.calls, 3),
                "aht_seconds": round(slot.aht, 1),
                "chats": round(slot.chats, 3),
                "chat_aht_seconds": round(slot.chat_aht, 1),
                "rostered": slot.rostered,
                "needed": slot.needed,
                "needed_for_calls": slot.needed_for_calls,
                "needed_to_write": slot.needed_to_write,
                "writers_to_roster": slot.writers_to_roster,
                "to_roster": slot.to_roster,
                "needed_by_erlang_c": slot.by_erlang_c,
                "missing": slot.missing,
                "expected_service_level": round(slot.expected.service_level, 4),
                "expected_mean_wait_seconds": round(slot.expected.mean_wait, 1),
                "expected_abandoned": round(slot.expected.abandoned, 4),
                "expected_service_level_in_writing": round(
                    slot.expected_in_writing.service_level, 4
                ),
                "expected_abandoned_in_writing": round(slot.expected_in_writing.abandoned, 4),
            }
            for slot in found.slots
        ],
    }
