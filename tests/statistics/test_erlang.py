"""Against numbers that a published library (pyworkforce 0.5.4) gives, and against a simulation."""

import heapq
import random

import pytest

from app.statistics.planning.erlang import (
    MOST,
    AtOnce,
    erlang_a,
    erlang_b,
    erlang_c,
    needed,
    with_shrinkage,
)
from tests.support.profile import by_day

pytestmark = pytest.mark.whole

# 100 calls in half an hour, 180 s each, answered within 20 s: staff, waits, level, ASA.
PUBLISHED_C = [
    (12, 0.449388, 0.640158, 40.4),
    (13, 0.285270, 0.795595, 17.1),
    (14, 0.174132, 0.888350, 7.8),
]
# The same with patience 120 s: staff, waits, abandoned, mean wait.
PUBLISHED_A = [
    (8, 0.722626, 0.257982, 30.96),
    (10, 0.496853, 0.137464, 16.50),
    (12, 0.279807, 0.061597, 7.39),
    (14, 0.126976, 0.022839, 2.74),
]


@pytest.mark.parametrize(("staff", "waits", "level", "asa"), PUBLISHED_C)
def test_erlang_c_as_published(staff: int, waits: float, level: float, asa: float) -> None:
    one = erlang_c(100, 1800, 180, staff, 20)
    assert one is not None
    assert one.waits == pytest.approx(waits, abs=1e-6)
    assert one.service_level == pytest.approx(level, abs=1e-6)
    assert one.mean_wait == pytest.approx(asa, abs=0.05)


@pytest.mark.parametrize(("staff", "waits", "abandoned", "wait"), PUBLISHED_A)
def test_erlang_a_as_published(staff: int, waits: float, abandoned: float, wait: float) -> None:
    one = erlang_a(100, 1800, 180, staff, 20, 120)
    assert one.waits == pytest.approx(waits, abs=1e-6)
    assert one.abandoned == pytest.approx(abandoned, abs=1e-6)
    assert one.mean_wait == pytest.approx(wait, abs=0.01)


def test_staff_needed_follows_from_load_shrinkage_and_patience() -> None:
    assert needed(100, 1800, 180, 20, 0.8).staff == 14
    assert with_shrinkage(14, 0.3) == 20
    assert with_shrinkage(0, 0.3) == 0
    assert needed(0, 1800, 180, 20, 0.8).staff == 0
    assert needed(0.5, 1800, 600, 20, 0.8, 180).staff == 1
    patient = needed(100, 1800, 180, 20, 0.8, 120)
    assert patient.staff < 14
    assert patient.service_level >= 0.8
    assert erlang_a(100, 1800, 180, patient.staff - 1, 20, 120).service_level < 0.8
    assert erlang_c(100, 1800, 180, 10, 20) is None
    assert erlang_b(10, 10) == pytest.approx(0.214582, abs=1e-6)
    with pytest.raises(ValueError, match=str(MOST)):
        needed(1_000_000, 1800, 180, 20, 0.8)


@pytest.mark.parametrize("staff", [0, 1, 3])
def test_a_service_level_with_patience_as_simulated(staff: int) -> None:
    """There is no closed form to copy; so callers are let in one by one."""
    dice = random.Random(staff)
    rate, aht, patience, target = 30 / 1800, 180.0, 120.0, 20.0
    free = [0.0] * staff
    heapq.heapify(free)
    at, in_time, left = 0.0, 0, 0
    count = 60_000
    for _ in range(count):
        at += dice.expovariate(rate)
        if not free or max(free[0] - at, 0) > dice.expovariate(1 / patience):
            left += 1
            continue
        begins = max(at, heapq.heappop(free))
        in_time += begins - at <= target
        heapq.heappush(free, begins + dice.expovariate(1 / aht))
    one = erlang_a(30, 1800, aht, staff, target, patience)
    assert one.service_level == pytest.approx(in_time / count, abs=0.01)
    assert one.abandoned == pytest.approx(left / count, abs=0.01)


@pytest.mark.parametrize("staff", by_day([0, 4, 1, 9], 2))
def test_conversations_at_once_are_erlang_a_at_both_ends(staff: int) -> None:
    """Three at once that slow no counsellor down are three counsellors; one at once is a call."""
    three = erlang_a(60, 1800, 600, staff, 20, 180, AtOnce(3, 0.0))
    calls = erlang_a(60, 1800, 600, 3 * staff, 20, 180)
    for name in ("waits", "service_level", "mean_wait", "abandoned"):
        assert getattr(three, name) == pytest.approx(getattr(calls, name), abs=1e-9)
    assert erlang_a(60, 1800, 600, staff, 20, 180, AtOnce(1, 0.7)) == erlang_a(
        60, 1800, 600, staff, 20, 180
    )
    # Where a second one takes as long again, no more get through than with one at once.
    slow = erlang_a(600, 1800, 600, 4, 20, 180, AtOnce(3, 1.0))
    one = erlang_a(600, 1800, 600, 4, 20, 180)
    assert slow.abandoned == pytest.approx(one.abandoned, abs=0.005)


def test_one_more_at_once_needs_fewer_counsellors_and_a_slower_pace_more() -> None:
    wanted = [
        needed(40, 1800, 1200, 20, 0.8, 180, AtOnce(most, slowdown)).staff
        for most, slowdown in ((1, 0.0), (2, 0.5), (3, 0.5), (3, 0.2), (3, 0.0))
    ]
    assert wanted == sorted(wanted, reverse=True)
    assert wanted[0] == needed(40, 1800, 1200, 20, 0.8, 180).staff
    assert len(set(wanted)) > 3


# Counsellors, the most at once, by what share one more slows down.
_WRITING = [(1, 3, 0.3), (3, 2, 0.5), (4, 3, 0.25), (5, 4, 0.6)]


@pytest.mark.parametrize(("staff", "most", "slowdown"), by_day(_WRITING, 2))
def test_conversations_at_once_as_simulated(staff: int, most: int, slowdown: float) -> None:
    """Children write one by one, each with the counsellor who has the fewest; no child moves later.

    Each counsellor's pace follows from how many they have, at every moment.
    """
    rate, aht, patience, target = staff * 9 / 1800, 300.0, 120.0, 20.0
    said = _simulated(random.Random(staff), rate, aht, patience, target, staff, most, slowdown)
    one = erlang_a(staff * 9, 1800, aht, staff, target, patience, AtOnce(most, slowdown))
    assert 0.2 < one.service_level < 0.98, "there is a queue, and it is not hopeless"
    # What is left between them: the model lets each counsellor have as many as the others.
    assert (one.service_level, one.abandoned) == pytest.approx(said, abs=0.025)


def _simulated(
    dice: random.Random,
    rate: float,
    aht: float,
    patience: float,
    target: float,
    staff: int,
    most: int,
    slowdown: float,
) -> tuple[float, float]:
    """Return the share of children who were answered in time, and of those who gave up."""
    held, waiting = [0] * staff, list[tuple[float, float]]()
    at, in_time, left, count, came = 0.0, 0, 0, 40_000, 0
    while came < count:
        paces = [k / (1 + slowdown * (k - 1)) / aht if k else 0.0 for k in held]
        at += dice.expovariate(rate + sum(paces))
        gone = [one for one in waiting if one[1] <= at]
        left += len(gone)
        waiting = [one for one in waiting if one[1] > at]
        event = dice.uniform(0, rate + sum(paces))
        if event < rate:
            came += 1
            fewest = min(range(staff), key=held.__getitem__)
            if held[fewest] < most:
                held[fewest] += 1
                in_time += 1
            else:
                waiting.append((at, at + dice.expovariate(1 / patience)))
            continue
        who = dice.choices(range(staff), paces)[0]
        if waiting:
            # The one who has waited for longest takes the place.
            begun, _ = waiting.pop(0)
            in_time += at - begun <= target
        else:
            held[who] -= 1
    return in_time / count, left / count
