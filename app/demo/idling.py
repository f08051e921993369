"""Leaves out the seconds of a stepped clock in which nothing is due.

The sweep runs every second, and nearly always finds nothing. What it finds depends on rows and on
the time alone. So if a sweep at a later second would find nothing, and no row changes meanwhile,
then the sweeps of all seconds until then find nothing. The same is true for what runs with it
every few seconds.
"""

import math
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from app.database.topics import Topic
from app.demo.stepped_clock import SteppedClock
from app.jobs.transaction import transaction
from app.referrals.deadlines import tracking
from app.referrals.escalation import dangers
from app.routing import sweep
from app.routing.rota import roster, unstaffed_alarms
from app.work import PROGRAM, Ground
from app.worker import FORGOTTEN_EVERY, SWEEP, Worker

NEVER = datetime.max.replace(tzinfo=UTC)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_SECOND = timedelta(seconds=1)
# To find out that nothing is due costs as much as this many seconds, if it is soon asked again.
_WORTH = 3
# How far is looked ahead, where it is known if a row changes.
_FAR = timedelta(seconds=60)
# Logs, jobs and legs: much is written there that no check reads.
READ_BY_NONE = (
    "audit_entries",
    "call_events",
    "leg_pace",
    "leg_requests",
    "legs",
    "presence_changes",
    "procrastinate_jobs",
    "record_events",
    "reconciled",
)
_RECORDS = ("attempts", "contacts", "deadlines", "notices", "recipients", "referrals")


class Changes(Protocol):
    """Counts what may have changed a row, of some tables or of all but some."""

    def __call__(self, *, of: Collection[str] = (), but: Collection[str] = ()) -> int: ...


@dataclass
class _Check:
    """Something that runs every few seconds, and until when it is known to find nothing."""

    every: int
    # Whether a run at the time of the first ground finds nothing; the second is of this moment.
    finds_nothing: Callable[[Ground, Ground], Awaitable[bool]]
    # Tables that it does not read, of those that are written often.
    unread: tuple[str, ...]
    known_at: int | None = None
    clear_until: datetime = _LONG_AGO
    # From when it finds something, as far as it is known.
    found_at: datetime = NEVER

    def first_run(self, due: datetime, second: int, runs: int) -> int:
        """Return how many of `runs` seconds, the first of them at `due`, can be left out."""
        known = math.floor((self.clear_until - due) / _SECOND) + 1
        to_next = -(second + max(known, 0)) % self.every
        return min(runs, max(known, 0) + to_next)


class Idling:
    """Puts off the sweep of a settled stage until there may be something for it to do."""

    def __init__(self, clock: SteppedClock, changes: Changes | None) -> None:
        self._clock, self._changes = clock, changes
        self._checks = (
            _Check(1, _sweeps_nothing, ("alarm_attempts", "alarms", *_RECORDS)),
            _Check(dangers.EVERY, _no_danger, ("offers", "participants", "presences")),
            _Check(FORGOTTEN_EVERY, _none_forgotten, ("alarms", "calls", "offers", "presences")),
            _Check(unstaffed_alarms.EVERY, _is_staffed, ("offers", "participants", *_RECORDS)),
        )

    async def leave_out(
        self, ground: Ground, worker: Worker, until: datetime, next_job: datetime
    ) -> datetime:
        """Leave out the sweeps that would find nothing before `until`, or before another task.

        Return the first second of the sweep at which a job is due, or NEVER if no sweep waits.
        """
        due, other = self._clock.alone_until(SWEEP), self._clock.next_due_besides(SWEEP)
        if due is None:
            return NEVER
        left_out, at = math.ceil((min(until, other or until) - due) / _SECOND), NEVER
        if next_job < until:
            seconds = max(math.ceil((next_job - due) / _SECOND), 0)
            at = due + seconds * _SECOND
            # What the job does may be due soon afterwards.
            left_out = min(left_out, seconds + 1)
        for check in self._checks:
            if left_out <= 0:
                break
            left_out = await self._of(check, ground, due, worker.second + 1, left_out)
        if left_out > 0:
            self._clock.put_off(SWEEP, due + left_out * _SECOND)
            worker.second += left_out
        return at

    async def _of(
        self, check: _Check, ground: Ground, due: datetime, second: int, runs: int
    ) -> int:
        """Return how many of `runs` seconds can be left out as far as this check goes."""
        version, hint = self._version(check), check.clear_until
        if version is None and runs < _WORTH:
            return 0
        if version is None or version != check.known_at:
            # What was found before a change is nearly always found afterwards.
            hint = due if check.found_at <= due else hint
            check.known_at, check.found_at = version, NEVER
            check.clear_until = due - _SECOND
        elif check.found_at <= due:
            return 0
        last = due + (runs - 1) * _SECOND
        far = last if version is None else max(last, due + _FAR)
        # The same goes for what was clear.
        probe = hint if due <= hint < far else far
        while check.first_run(due, second, runs) < runs and probe > check.clear_until:
            if await check.finds_nothing(_at(ground, probe), ground):
                check.clear_until = probe
                probe = min(far, check.found_at - _SECOND)
            else:
                check.found_at, known = probe, check.clear_until
                # In whole seconds: the sweep runs at no others. What is wanted now comes first.
                half = known + math.floor((probe - known) / 2 / _SECOND) * _SECOND
                probe = min(half, last) if probe > last else half
        return check.first_run(due, second, runs)

    def _version(self, check: _Check) -> int | None:
        if self._changes is None:
            return None
        return self._changes(but=(*READ_BY_NONE, *check.unread))


def _at(ground: Ground, instant: datetime) -> Ground:
    known = ground.memory.beside(Topic.ROSTER, Topic.LINES)
    return replace(ground, clock=SteppedClock(instant), memory=known)


async def _sweeps_nothing(then: Ground, _now: Ground) -> bool:
    return not await sweep.find_due(then)


async def _no_danger(then: Ground, _now: Ground) -> bool:
    return await dangers.is_settled(then)


async def _none_forgotten(then: Ground, _now: Ground) -> bool:
    return not any(await tracking.forgotten(then))


async def _is_staffed(then: Ground, now: Ground) -> bool:
    """Return whether the rota stays as it is, and every problem has its alarm at the end, too."""
    last, present = then.clock.now(), now.clock.now()
    async with transaction(then, PROGRAM) as work:
        for ago in (timedelta(), unstaffed_alarms.SIGNS_IN_WITHIN):
            before = await roster.on_shift_at(work, present - ago)
            if before != await roster.on_shift_at(work, last - ago):
                return False
        return await unstaffed_alarms.is_settled(work)
