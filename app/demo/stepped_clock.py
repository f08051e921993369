"""The clock of the scripted hour, of benchmarks and of tests: it moves only when it is moved."""

import asyncio
import heapq
import itertools
from datetime import datetime, timedelta


class SteppedClock:
    """A clock that stands still until it is moved: an hour of telephony runs in seconds.

    Sleeping tasks are woken in order of due time. Between two wake-ups, the code that
    calls `next_due` and `move_to` may let all other tasks settle. What is known to find nothing
    when it wakes up may be put off until later.
    """

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._order = itertools.count()
        # When each is due, its number, how to wake it, and the name of its task.
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None], str]] = []

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        due = self._now + timedelta(seconds=seconds)
        task = asyncio.current_task()
        named = task.get_name() if task is not None else ""
        heapq.heappush(self._sleepers, (due, next(self._order), woken, named))
        await woken

    def next_due(self) -> datetime | None:
        """Return when the next sleeping task is due, or None if no task sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def alone_until(self, name: str) -> datetime | None:
        """Return when the task of this name is due, if it alone is due next.

        None if another task is due at that instant, too, or several have the name.
        """
        due = self.next_due()
        first = [named for at, _, woken, named in self._sleepers if at == due and not woken.done()]
        return due if first == [name] and self._awaiting(name) == 1 else None

    def _awaiting(self, name: str) -> int:
        return sum(named == name and not woken.done() for _, _, woken, named in self._sleepers)

    def next_due_besides(self, name: str) -> datetime | None:
        """Return when the next task of another name is due, or None if no other sleeps."""
        others = (at for at, _, woken, n in self._sleepers if n != name and not woken.done())
        return min(others, default=None)

    def put_off(self, name: str, until: datetime) -> None:
        """Let the sleeping tasks of this name sleep until an instant instead."""
        self._sleepers = [
            (until if named == name else due, order, woken, named)
            for due, order, woken, named in self._sleepers
        ]
        heapq.heapify(self._sleepers)

    def leap(self, time: timedelta) -> None:
        """Let time go by while every task stands still; who is due meanwhile is woken later."""
        self._now += time

    def move_to(self, instant: datetime) -> None:
        """Set the time and wake every task that is due by then."""
        self._now = max(self._now, instant)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, woken, _ = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
