"""A day of calls through the real matching on a stepped clock: nothing but arrivals and talks.

Callers arrive at random (a Poisson process), talks last an exponential time, and impatient callers
give up after an exponential time. These are Erlang's assumptions, so the waits must be those of
his formulas. The matching is `app/routing/matching.py`, run after every event as in the worker.
"""

import heapq
import itertools
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from app.routing.matching import Free, Room, Waiting, pair

BEGINS = datetime(2030, 1, 14, tzinfo=UTC)


@dataclass(frozen=True)
class Simulated:
    """What became of the callers. Waits in seconds."""

    calls: int
    gave_up: int
    # The mean over all callers, including those who gave up, as in Erlang's formulas.
    mean_wait: float
    # The longest time for which a caller waited while a counsellor was free.
    longest_overlooked: float
    # How evenly the calls were spread over the counsellors (Jain's index): 1 is equal shares.
    fairness: float

    @property
    def abandoned(self) -> float:
        return self.gave_up / self.calls


def simulate(
    calls_per_hour: float,
    aht: float,
    staff: int,
    *,
    calls: int,
    patience: float | None = None,
) -> Simulated:
    """Let `calls` callers ring, and measure how long they wait."""
    # The same day each time.
    dice = random.Random(1)
    crew = [uuid4() for _ in range(staff)]
    free: dict[UUID, Free] = {who: Free(who, BEGINS) for who in crew}
    room = Room(tuple(free.values()))
    waiting: dict[UUID, Waiting] = {}
    order = itertools.count()
    events: list[tuple[float, int, str, UUID]] = [(0.0, next(order), "rings", uuid4())]
    came = gave_up = 0
    waited = overlooked = 0.0
    taken = dict.fromkeys(crew, 0)
    while events:
        at, _, what, who = heapq.heappop(events)
        now = BEGINS + timedelta(seconds=at)
        match what:
            case "rings":
                came += 1
                waiting[who] = Waiting(who, "+1", "sr", now)
                if patience is not None:
                    tired = at + dice.expovariate(1 / patience)
                    heapq.heappush(events, (tired, next(order), "tires", who))
                if came < calls:
                    following = at + dice.expovariate(calls_per_hour / 3600)
                    heapq.heappush(events, (following, next(order), "rings", uuid4()))
            case "tires":
                caller = waiting.pop(who, None)
                if caller is not None:
                    gave_up += 1
                    waited += caller.waited(now)
            case "ends":
                free[who] = Free(who, now)
        if waiting and free:
            # Best first, as the database returns them: no more than can be paired.
            first = itertools.islice(waiting.values(), len(free))
            for caller, counsellor in pair(list(first), list(free.values()), now, room):
                del waiting[caller.call_id], free[counsellor.counsellor_id]
                waited += caller.waited(now)
                taken[counsellor.counsellor_id] += 1
                ends = at + dice.expovariate(1 / aht)
                heapq.heappush(events, (ends, next(order), "ends", counsellor.counsellor_id))
        if waiting and free:
            # A caller waits although a counsellor is free, at least until the next event.
            overlooked = max(overlooked, (events[0][0] if events else at) - at)
    shares = list(taken.values())
    fairness = sum(shares) ** 2 / (len(shares) * sum(n * n for n in shares))
    return Simulated(came, gave_up, waited / came, overlooked, fairness)
