"""How many counsellors a load needs: Erlang B, C and A, and A for conversations at once. Pure.

Offered load `a` in erlangs is arrivals per second times seconds of handling. Erlang C assumes that
every caller waits for ever, and has no result unless `a` is below the number of counsellors.
Erlang A (Palm 1957; M/M/N+M) assumes that callers give up after an exponential patience, as
callers of a helpline do.

A counsellor who writes has several conversations at once, and each takes longer the more there
are. The model is that of Tezcan and Zhang ("Routing and Staffing in Customer Service Chat Systems
with Impatient Customers", Operations Research 62(4), 2014; the rates by level of concurrency as in
Luo and Zhang, "Staffing and Control of Instant Messaging Contact Centers", 61(2), 2013):
`N` counsellors have `c · N` places, a new child goes to the one with the fewest, and a counsellor
with `k` conversations ends `d(k)` of them in the time of one, where `d` grows with `k` ever more
slowly. The number of conversations is then a birth and death process, as in Erlang A, which it is
for `c = 1`, and for `c · N` counsellors if a further conversation slows none down.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

# The most counsellors for a half hour; a load that needs more is refused.
MOST = 2000


@dataclass(frozen=True)
class AtOnce:
    """How many conversations a counsellor has at once, and by what share one more slows them down.

    With `k` conversations each takes `1 + slowdown · (k - 1)` times as long as by itself: with 0
    a counsellor writes with three as fast as with one, with 1 it takes three times as long.
    """

    most: int
    slowdown: float

    def ended(self, held: int) -> float:
        """Return how many of `held` conversations end in the handling time of one."""
        return held / (1 + self.slowdown * (held - 1)) if held else 0.0


# A call takes all of a counsellor.
_CALLS = AtOnce(1, 0.0)


@dataclass(frozen=True)
class Forecast:
    """What callers experience. Times are in seconds."""

    staff: int
    waits: float
    service_level: float
    mean_wait: float
    abandoned: float


def erlang_b(load: float, staff: int) -> float:
    """Return the share of callers who find no free counsellor in a system without a queue.

    By the usual recursion.
    """
    blocked = 1.0
    for n in range(1, staff + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def erlang_c(
    calls: float, seconds: float, aht: float, staff: int, target: float
) -> Forecast | None:
    """Forecast without patience: `calls` in `seconds`, each handled in `aht` seconds.

    Return None if staff is not above the load: the queue would grow for ever.
    """
    load = calls / seconds * aht
    if staff <= load:
        return None
    if load == 0:
        return Forecast(staff, 0.0, 1.0, 0.0, 0.0)
    blocked = erlang_b(load, staff)
    waits = staff * blocked / (staff - load * (1 - blocked))
    level = 1 - waits * math.exp(-(staff - load) * target / aht)
    return Forecast(staff, waits, level, waits * aht / (staff - load), 0.0)


def erlang_a(
    calls: float,
    seconds: float,
    aht: float,
    staff: int,
    target: float,
    patience: float,
    at_once: AtOnce = _CALLS,
) -> Forecast:
    """Forecast with patience: callers give up after an exponential time of that mean, in seconds.

    The service level is the share of all callers who are answered within the target: the
    headline formula of the measures. `aht` is the time of one conversation by itself.
    """
    rate, theta, places = calls / seconds, 1 / patience, staff * at_once.most
    if rate == 0:
        return Forecast(staff, 0.0, 1.0, 0.0, 0.0)

    def served(number: int) -> float:
        """Return how many end in a second, if each counsellor has as many as the others."""
        if not staff:
            return 0.0
        each, more = divmod(min(number, places), staff)
        ended = (staff - more) * at_once.ended(each) + more * at_once.ended(each + 1)
        return ended / aht

    chances = _states(rate, served, theta, places)
    total = math.fsum(chances)
    chances = [c / total for c in chances]
    queue = math.fsum((n - places) * c for n, c in enumerate(chances) if n > places)
    waits = math.fsum(chances[places:])
    abandoned = theta * queue / rate
    in_time = math.fsum(
        c * _answered_within(n - places, served(places), theta, target)
        for n, c in enumerate(chances)
        if n >= places
    )
    level = 1 - waits + in_time
    return Forecast(staff, waits, level, queue / rate, abandoned)


def _states(rate: float, served: Callable[[int], float], theta: float, places: int) -> list[float]:
    """Return the chance of each number of callers in the system, not yet divided by their sum.

    Scaled by the largest, so that no power overflows; cut off where the chances are negligible.
    """
    logs = [0.0]
    n = 0
    while True:
        n += 1
        death = served(n) + max(n - places, 0) * theta
        logs.append(logs[-1] + math.log(rate) - math.log(death))
        if n > places and logs[-1] < max(logs) - 40 and death > rate:
            break
        if n > places + 100_000:
            break
    top = max(logs)
    return [math.exp(one - top) for one in logs]


def _answered_within(ahead: int, served: float, theta: float, target: float) -> float:
    """Return the chance that a caller with `ahead` others in front is answered in time.

    The caller moves forward when another caller is served or gives up: from k to k - 1 ahead at
    the rate `served + k * theta`. The caller gives up at the rate `theta`, and is answered from
    place 0 at the rate `served`. Uniformisation of that small chain (Jensen 1953).
    """
    if target <= 0 or served <= 0:
        return 0.0
    fastest = served + (ahead + 1) * theta
    places = [0.0] * (ahead + 1)
    places[ahead] = 1.0
    answered = 0.0
    weight = math.exp(-fastest * target) if fastest * target < 700 else 0.0
    mean = fastest * target
    steps = int(mean + 12 * math.sqrt(mean) + 20)
    found = 0.0
    log_weight = -mean
    for step in range(steps + 1):
        weight = math.exp(log_weight) if log_weight > -745 else 0.0
        found += weight * answered
        log_weight += math.log(mean) - math.log(step + 1)
        answered += places[0] * served / fastest
        after = [0.0] * (ahead + 1)
        for k, chance in enumerate(places):
            if not chance:
                continue
            forward = served + k * theta
            if k:
                after[k - 1] += chance * forward / fastest
            after[k] += chance * (fastest - forward - theta) / fastest
        places = after
    return found


def needed(
    calls: float,
    seconds: float,
    aht: float,
    target: float,
    share: float,
    patience: float | None = None,
    at_once: AtOnce = _CALLS,
) -> Forecast:
    """Return the forecast for the fewest counsellors who answer the share within the target.

    Erlang A with patience, Erlang C without, for calls alone. Raises ValueError above `MOST`.
    """
    if calls <= 0:
        return Forecast(0, 0.0, 1.0, 0.0, 0.0)
    staff = 1 if patience is not None else int(calls / seconds * aht) + 1
    while staff <= MOST:
        one = (
            erlang_c(calls, seconds, aht, staff, target)
            if patience is None
            else erlang_a(calls, seconds, aht, staff, target, patience, at_once)
        )
        if one is not None and one.service_level >= share:
            return one
        staff += 1
    raise ValueError(f"more than {MOST} counsellors would be needed")


def with_shrinkage(staff: int, shrinkage: float) -> int:
    """Return how many counsellors to roster so that `staff` of them can take calls."""
    return math.ceil(staff / (1 - shrinkage) - 1e-9)
