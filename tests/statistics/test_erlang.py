"""Against numbers that a published library (pyworkforce 0.5.4) gives, and against a simulation."""

import heapq
import random

import pytest

from app.statistics.planning.erlang import (
    MOST,
    erlang_a,
    erlang_b,
    erlang_c,
    needed,
    with_shrinkage,
)

# 100 calls in half an hour, 180 s each, answered within 20 s: staff, waits, level, ASA.
PUBLISHED_C = [
    (12, 0.449388, 0.640158, 40.4),
    (13, 0.285270, 0.795595, 17.1),
    (14, 0.174132, 0.888350, 7.8),
]
# The same with patience 120 s: staff, waits, abandoned, mean wait, occupancy.
PUBLISHED_A = [
    (8, 0.722626, 0.257982, 30.96, 0.927522),
    (10, 0.496853, 0.137464, 16.50, 0.862536),
    (12, 0.279807, 0.061597, 7.39, 0.782002),
    (14, 0.126976, 0.022839, 2.74, 0.697972),
]


@pytest.mark.parametrize(("staff", "waits", "level", "asa"), PUBLISHED_C)
def test_erlang_c_as_published(staff: int, waits: float, level: float, asa: float) -> None:
    one = erlang_c(100, 1800, 180, staff, 20)
    assert one is not None
    assert one.waits == pytest.approx(waits, abs=1e-6)
    assert one.service_level == pytest.approx(level, abs=1e-6)
    assert one.mean_wait == pytest.approx(asa, abs=0.05)
    assert one.occupancy == pytest.approx(10 / staff)


@pytest.mark.parametrize(("staff", "waits", "abandoned", "wait", "occupancy"), PUBLISHED_A)
def test_erlang_a_as_published(
    staff: int, waits: float, abandoned: float, wait: float, occupancy: float
) -> None:
    one = erlang_a(100, 1800, 180, staff, 20, 120)
    assert one.waits == pytest.approx(waits, abs=1e-6)
    assert one.abandoned == pytest.approx(abandoned, abs=1e-6)
    assert one.mean_wait == pytest.approx(wait, abs=0.01)
    assert one.occupancy == pytest.approx(occupancy, abs=1e-6)


def test_what_is_needed_and_rostered() -> None:
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
