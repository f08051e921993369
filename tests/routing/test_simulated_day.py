"""Simulated days through the real matching: callers wait as long as Erlang's formulas say."""

import pytest

from app.demo.simulated_day import simulate
from app.statistics.planning.erlang import erlang_a, erlang_c
from tests.support.profile import nightly

pytestmark = pytest.mark.whole

AHT = 180.0
# The nearer staff is to the load, the more calls it takes until their mean is that of the formula.
CALLS = 150_000


# By day `test_matching.py` lets no caller wait whom a counsellor could take.
@nightly
@pytest.mark.parametrize(("staff", "load"), [(5, 3.5), (12, 9.0)])
def test_patient_callers_wait_as_erlang_c_has_it(staff: int, load: float) -> None:
    rate = load * 3600 / AHT
    day = simulate(rate, AHT, staff, calls=CALLS)
    wanted = erlang_c(rate, 3600, AHT, staff, 20)
    assert wanted is not None
    assert day.mean_wait == pytest.approx(wanted.mean_wait, rel=0.05)
    assert day.longest_overlooked <= 1, "a caller waited though a counsellor was free"
    assert day.fairness > 0.99


@nightly
def test_impatient_callers_wait_and_give_up_as_erlang_a_has_it() -> None:
    """By day the formula is tried in `tests/statistics`."""
    rate = 10 * 3600 / AHT
    for staff in (8, 12):
        day = simulate(rate, AHT, staff, calls=CALLS, patience=120)
        wanted = erlang_a(rate, 3600, AHT, staff, 20, 120)
        assert day.mean_wait == pytest.approx(wanted.mean_wait, rel=0.05)
        assert day.abandoned == pytest.approx(wanted.abandoned, rel=0.05)
        assert day.longest_overlooked <= 1
