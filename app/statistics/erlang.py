"""How many counsellors a load needs: Erlang B, C and A. Pure.

Offered load `a` in erlangs is arrivals per second times seconds of handling. Erlang C lets every
caller wait for ever and explodes where `a` is not below the number of counsellors; Erlang A
(Palm 1957; M/M/N+M) lets callers give up after an exponential patience, which is what callers of
a helpline do.
"""

import math
from dataclasses import dataclass

# Nobody rosters more for a half hour; beyond it the load is refused.
MOST = 2000


@dataclass(frozen=True)
class Forecast:
    """What callers meet. Times are in seconds."""

    staff: int
    waits: float
    service_level: float
    mean_wait: float
    abandoned: float
    occupancy: float


def erlang_b(load: float, staff: int) -> float:
    """The share of callers who find nobody free where nobody waits, by the usual recursion."""
    blocked = 1.0
    for n in range(1, staff + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def erlang_c(
    calls: float, seconds: float, aht: float, staff: int, target: float
) -> Forecast | None:
    """Without patience: `calls` in `seconds`, each handled in `aht` seconds.

    None where staff is not above the load: the queue would grow for ever.
    """
    load = calls / seconds * aht
    if staff <= load:
        return None
    if load == 0:
        return Forecast(staff, 0.0, 1.0, 0.0, 0.0, 0.0)
    blocked = erlang_b(load, staff)
    waits = staff * blocked / (staff - load * (1 - blocked))
    level = 1 - waits * math.exp(-(staff - load) * target / aht)
    return Forecast(staff, waits, level, waits * aht / (staff - load), 0.0, load / staff)


def erlang_a(
    calls: float, seconds: float, aht: float, staff: int, target: float, patience: float
) -> Forecast:
    """With patience: callers give up after an exponential time of that mean, in seconds.

    The service level is the share of all callers who are answered within the target: the
    headline formula of the measures.
    """
    rate, mu, theta = calls / seconds, 1 / aht, 1 / patience
    if rate == 0:
        return Forecast(staff, 0.0, 1.0, 0.0, 0.0, 0.0)
    chances = _states(rate, mu, theta, staff)
    total = math.fsum(chances)
    chances = [c / total for c in chances]
    queue = math.fsum((n - staff) * c for n, c in enumerate(chances) if n > staff)
    waits = math.fsum(chances[staff:])
    abandoned = theta * queue / rate
    busy = math.fsum(min(n, staff) * c for n, c in enumerate(chances))
    in_time = math.fsum(
        c * _answered_within(n - staff, staff * mu, theta, target)
        for n, c in enumerate(chances)
        if n >= staff
    )
    level = 1 - waits + in_time
    occupancy = busy / staff if staff else 1.0
    return Forecast(staff, waits, level, queue / rate, abandoned, occupancy)


def _states(rate: float, mu: float, theta: float, staff: int) -> list[float]:
    """The chance of each number of callers in the system, not yet divided by their sum.

    Scaled by the largest on the way, so that no power overflows; cut off where nothing is left.
    """
    logs = [0.0]
    n = 0
    while True:
        n += 1
        death = min(n, staff) * mu + max(n - staff, 0) * theta
        logs.append(logs[-1] + math.log(rate) - math.log(death))
        if n > staff and logs[-1] < max(logs) - 40 and death > rate:
            break
        if n > staff + 100_000:
            break
    top = max(logs)
    return [math.exp(one - top) for one in logs]


def _answered_within(ahead: int, served: float, theta: float, target: float) -> float:
    """The chance that a caller with so many ahead is answered before giving up, in time.

    Each step forward happens when somebody is served or gives up: the caller moves from k to
    k - 1 ahead at the rate `served + k * theta`, and gives up at the rate `theta`; the answer
    comes from place 0 at the rate `served`. Uniformisation of that small chain (Jensen 1953).
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
    calls: float, seconds: float, aht: float, target: float, share: float,
    patience: float | None = None,
) -> Forecast:  # fmt: skip
    """The fewest counsellors with whom the share is answered within the target.

    With patience by Erlang A, without by Erlang C. Raises ValueError above `MOST`.
    """
    if calls <= 0:
        return Forecast(0, 0.0, 1.0, 0.0, 0.0, 0.0)
    staff = 1 if patience is not None else int(calls / seconds * aht) + 1
    while staff <= MOST:
        one = (
            erlang_c(calls, seconds, aht, staff, target)
            if patience is None
            else erlang_a(calls, seconds, aht, staff, target, patience)
        )
        if one is not None and one.service_level >= share:
            return one
        staff += 1
    raise ValueError(f"more than {MOST} counsellors would be needed")


def with_shrinkage(staff: int, shrinkage: float) -> int:
    """How many to roster so that so many can take calls."""
    return math.ceil(staff / (1 - shrinkage) - 1e-9)
