"""When a deadline is due, in working hours and over the change of the clocks."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.calls.hours import is_open
from app.referrals.deadlines.due import due_at, read_duration

BELGRADE = ZoneInfo("Europe/Belgrade")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BELGRADE)


HOURS: dict[str, Any] = {
    "hours": "Mo-Fr 08:00-16:00; PH off",
    "timezone": "Europe/Belgrade",
    "country": "RS",
}


@pytest.mark.parametrize(
    ("start", "within", "due"),
    [
        # In one day; over the night; over the weekend.
        ("2026-11-24T09:00", "PT4H", "2026-11-24T13:00"),
        ("2026-11-24T15:00", "PT2H", "2026-11-25T09:00"),
        ("2026-11-27T15:00", "PT2H", "2026-11-30T09:00"),
        # Begun in the night it runs from the morning.
        ("2026-11-25T02:00", "PT1H", "2026-11-25T09:00"),
        # New Year (1st and 2nd of January) and a weekend do not count.
        ("2026-12-31T15:00", "PT2H", "2027-01-04T09:00"),
        # Orthodox Christmas is on a Thursday in 2027.
        ("2027-01-06T15:30", "PT1H", "2027-01-08T08:30"),
    ],
)
def test_a_deadline_in_working_hours_runs_in_no_others(start: str, within: str, due: str) -> None:
    found = due_at(local(start), read_duration(within), "working", **HOURS)
    assert found.astimezone(BELGRADE) == local(due)


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_night_shift_of_seven_or_nine_hours_counts_what_it_has(day: str) -> None:
    """22:00 to 06:00 over the change of the clock: seconds that really pass."""
    hours: dict[str, Any] = {"hours": "22:00-06:00", "timezone": "Europe/Belgrade", "country": None}
    evening = local(f"{day}T22:00") - timedelta(days=1)
    length = 7 if day == "2026-03-29" else 9
    due = due_at(evening, timedelta(hours=length), "working", **hours)
    assert due.astimezone(BELGRADE) == local(f"{day}T06:00")
    later = due_at(evening, timedelta(hours=length, seconds=1), "working", **hours)
    assert later.astimezone(BELGRADE) == local(f"{day}T22:00") + timedelta(seconds=1)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    st.integers(1, 400_000),
)
def test_working_time_never_runs_faster_than_time(start: datetime, seconds: int) -> None:
    at = start.replace(tzinfo=UTC, microsecond=0)
    due = due_at(at, timedelta(seconds=seconds), "working", **HOURS)
    assert due >= at + timedelta(seconds=seconds)
    assert is_open(HOURS["hours"], "Europe/Belgrade", "RS", due - timedelta(seconds=1))
    # Later begun is never earlier due.
    assert due_at(at + timedelta(hours=1), timedelta(seconds=seconds), "working", **HOURS) >= due


def test_a_deadline_in_hours_that_never_come_is_refused() -> None:
    with pytest.raises(ValueError, match="never add up"):
        due_at(
            local("2026-11-24T09:00"),
            timedelta(hours=1),
            "working",
            hours="off",
            timezone="Europe/Belgrade",
        )
    for wrong in ("", "P", "PT", "PT0S", "15 minutes", "P1Y", "-PT5M", "PT5M "):
        with pytest.raises(ValueError, match=r"duration"):
            read_duration(wrong)
