"""Leaves out the seconds of a stepped clock in which nothing is due.

The sweep runs every second, and nearly always finds nothing. What it finds depends on rows and on
the time alone. So if no other task wakes up before an instant, and a sweep at the last second
before it would find nothing, then the sweeps of all seconds until then find nothing.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, Text, bindparam, cast, column, select, table

from app.clock import SteppedClock
from app.database.quick import Question
from app.database.topics import Topic
from app.jobs.transaction import transaction
from app.referrals.deadlines import tracking
from app.referrals.escalation import dangers
from app.routing import sweep
from app.routing.rota import roster, unstaffed_alarms
from app.work import PROGRAM, Ground
from app.worker import FORGOTTEN_EVERY, SWEEP, Worker

_SECOND = timedelta(seconds=1)
# To find out that nothing is due costs as much as this many seconds.
_WORTH = 3
# How many seconds are looked at together, where it is known if a row changes.
_FAR = 60
# For this time after something was due, each second is taken by itself.
_WAIT = timedelta(seconds=4)

_JOBS = table("procrastinate_jobs", column("status"), column("scheduled_at"))
_LATE: Any = bindparam("late", type_=DateTime(timezone=True))
_JOB_DUE = Question(
    select(_JOBS.c.scheduled_at)
    .where(cast(_JOBS.c.status, Text) == "todo", _JOBS.c.scheduled_at <= _LATE)
    .limit(1)
)


class Idling:
    """Puts off the sweep of a settled stage until there may be something for it to do."""

    def __init__(self, clock: SteppedClock, changes: Callable[[], int] | None) -> None:
        self._clock, self._changes = clock, changes
        self._not_before = clock.now()
        # Until when sweeps find nothing, if no row has changed since.
        self._idle_until = clock.now()
        self._idle_at: int | None = None
        # The count of changes when it was looked at last.
        self._seen_at: int | None = None

    async def leave_out(self, ground: Ground, worker: Worker, until: datetime) -> None:
        """Leave out the sweeps that would find nothing before `until`, or before another task."""
        due, other = self._clock.alone_until(SWEEP), self._clock.next_due_besides(SWEEP)
        if due is None:
            return
        runs = math.ceil((min(until, other or until) - due) / _SECOND)
        if not self._is_idle():
            await self._look_ahead(ground, worker, due, runs)
        known = math.floor((self._idle_until - due) / _SECOND) + 1 if self._is_idle() else 0
        left_out = min(runs, known)
        if left_out > 0:
            self._clock.put_off(SWEEP, due + left_out * _SECOND)
            worker.second += left_out

    def _is_idle(self) -> bool:
        """Return whether it is known until when nothing is found."""
        is_same = self._changes is None or self._changes() == self._idle_at
        return is_same and self._clock.now() < self._idle_until

    async def _look_ahead(self, ground: Ground, worker: Worker, due: datetime, runs: int) -> None:
        """Find out until when sweeps find nothing: for longer than asked, if that stays true."""
        changes = self._changes() if self._changes is not None else None
        is_quiet, self._seen_at = changes is not None and changes == self._seen_at, changes
        if self._clock.now() < self._not_before or (runs < _WORTH and not is_quiet):
            return
        runs = runs if changes is None else max(runs, _FAR)
        while runs >= _WORTH:
            if await _finds_nothing(ground, self._clock.now(), due, worker.second + 1, runs):
                self._idle_until, self._idle_at = due + (runs - 1) * _SECOND, changes
                return
            runs //= 4
            self._not_before = self._clock.now() + _WAIT


async def _finds_nothing(
    ground: Ground, now: datetime, due: datetime, second: int, runs: int
) -> bool:
    """Return whether `runs` sweeps would do nothing, the first of them at `due`."""
    last = due + (runs - 1) * _SECOND
    known = ground.memory.beside(Topic.ROSTER, Topic.LINES)
    then = replace(ground, clock=SteppedClock(last), memory=known)
    if await sweep.find_due(then) or await ground.database.quick.rows(_JOB_DUE, late=last):
        return False

    def has_run(every: int) -> bool:
        return second // every < (second + runs - 1) // every or second % every == 0

    if has_run(dangers.EVERY) and not await dangers.is_settled(then):
        return False
    if has_run(FORGOTTEN_EVERY) and any(await tracking.forgotten(then)):
        return False
    return not has_run(unstaffed_alarms.EVERY) or await _is_watched(then, now)


async def _is_watched(then: Ground, now: datetime) -> bool:
    """Return whether the rota stays as it is, and every problem has its alarm at the end, too."""
    last = then.clock.now()
    async with transaction(then, PROGRAM) as work:
        for ago in (timedelta(), unstaffed_alarms.SIGNS_IN_WITHIN):
            before = await roster.on_shift_at(work, now - ago)
            if before != await roster.on_shift_at(work, last - ago):
                return False
        return await unstaffed_alarms.is_settled(work)
