from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.routing.rota.on_duty import Rota, next_duty, on_duty
from app.routing.rota.shifts import Shift, duties, first_instant, last_instant
from tests.support.shifts import ANA, BORIS, ZONES, shift


@pytest.mark.parametrize("zone", ZONES)
def test_three_shifts_a_day_leave_no_gap_in_a_year(zone: str) -> None:
    """06-14, 14-22, 22-06, on the nights when the clocks change too."""
    rota = [shift(zone, "06:00", 8), shift(zone, "14:00", 8), shift(zone, "22:00", 8)]
    since, until = datetime(2026, 1, 2, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    stretches = sorted(
        (duty for one in rota for duty in duties(one, since, until)), key=lambda d: d.start
    )
    assert len(stretches) > 1080
    for before, after in pairwise(stretches):
        assert after.start <= before.end, f"a gap at {before.end}"


def test_a_night_shift_keeps_its_wall_clock_when_the_clocks_change() -> None:
    belgrade = ZoneInfo("Europe/Belgrade")
    night = shift("Europe/Belgrade", "22:00", 8)
    for day in (date(2026, 3, 28), date(2026, 10, 24)):
        begins = datetime.combine(day, time(22), belgrade).astimezone(UTC)
        duty = next(iter(duties(night, begins, begins + timedelta(minutes=1))))
        assert duty.start.astimezone(belgrade).time() == time(22)
        assert duty.end.astimezone(belgrade).time() == time(6)

    # Seven hours in March, nine in October.


def test_ambiguous_and_missing_times() -> None:
    belgrade = ZoneInfo("Europe/Belgrade")
    twice = datetime(2026, 10, 25, 2, 30)
    assert last_instant(twice, belgrade) - first_instant(twice, belgrade) == timedelta(hours=1)
    missing = datetime(2026, 3, 29, 2, 30)
    assert first_instant(missing, belgrade) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert last_instant(missing, belgrade) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_who_is_on_duty_is_half_open() -> None:
    rota = [shift("UTC", "08:00", 8), shift("UTC", "16:00", 8, BORIS)]
    at = datetime(2026, 5, 5, 8, 0, tzinfo=UTC)
    assert set(on_duty(Rota(tuple(rota)), at)) == {ANA}
    assert set(on_duty(Rota(tuple(rota)), at - timedelta(seconds=1))) == set()
    assert set(on_duty(Rota(tuple(rota)), at + timedelta(hours=8))) == {BORIS}


def test_next_duty_and_days_of_the_week() -> None:
    rota = [shift("Europe/Belgrade", "07:00", 14, rule="FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR")]
    friday_night = datetime(2026, 11, 27, 22, 0, tzinfo=UTC)
    found = next_duty(Rota(tuple(rota)), friday_night)
    assert found is not None
    assert found.start == datetime(2026, 11, 30, 6, 0, tzinfo=UTC)


def test_a_shift_without_weekday_or_end_is_always_on_duty() -> None:
    always = Shift(ANA, None, time(0), 1440, "UTC", date(2026, 1, 1))
    assert set(on_duty(Rota((always,)), datetime(2031, 7, 1, 3, tzinfo=UTC))) == {ANA}
    assert not on_duty(Rota((always,)), datetime(2025, 7, 1, 3, tzinfo=UTC))


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    start=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    minutes=st.integers(1, 1440),
    at=st.datetimes(datetime(2026, 1, 5), datetime(2026, 12, 28)).map(
        lambda d: d.replace(tzinfo=UTC)
    ),
)
def test_on_duty_agrees_with_the_stretches(
    zone: str, start: time, minutes: int, at: datetime
) -> None:
    one = Shift(ANA, "FREQ=DAILY", start, minutes, zone, date(2026, 1, 1))
    covered = any(
        duty.start <= at < duty.end
        for duty in duties(one, at - timedelta(days=3), at + timedelta(days=3))
    )
    assert (ANA in on_duty(Rota((one,)), at)) == covered
