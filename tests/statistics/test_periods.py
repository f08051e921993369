from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.statistics.periods import (
    BadWindow,
    Period,
    Window,
    aligned,
    cut,
    last_whole,
    read_window,
    whole_period,
)

ZONES = [
    "Europe/Belgrade",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
]


def hours_of(day: date, zone: str) -> list[str]:
    window = Window(day, day + timedelta(days=1))
    where = ZoneInfo(zone)
    return list(cut(Period.HOUR, *window.instants(where), where).labels)


def test_days_on_which_the_clocks_change() -> None:
    assert len(hours_of(date(2026, 3, 29), "Europe/Belgrade")) == 23
    october = hours_of(date(2026, 10, 25), "Europe/Belgrade")
    assert len(october) == 25
    assert october[2:4] == ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]
    # Half an hour: the hour in which it happens is there twice, for half of it each.
    assert len(hours_of(date(2026, 4, 5), "Australia/Lord_Howe")) == 25
    window = Window(date(2026, 4, 5), date(2026, 4, 6)).instants(ZoneInfo("Australia/Lord_Howe"))
    assert window[1] - window[0] == timedelta(hours=24.5)
    # A midnight that does not exist: the day begins with its first instant.
    cairo = Window(date(2026, 4, 24), date(2026, 4, 25)).instants(ZoneInfo("Africa/Cairo"))
    assert cairo[1] - cairo[0] == timedelta(hours=23)


@settings(max_examples=60, deadline=None)
@given(
    day=st.dates(date(2024, 1, 1), date(2027, 1, 1)),
    length=st.integers(1, 40),
    zone=st.sampled_from(ZONES),
    period=st.sampled_from(list(Period)),
)
def test_pieces_touch_and_cover_the_window(
    day: date, length: int, zone: str, period: Period
) -> None:
    where = ZoneInfo(zone)
    since, until = Window(day, day + timedelta(days=length)).instants(where)
    found = cut(period, since, until, where)
    assert (found.edges[0], found.edges[-1]) == (since.timestamp(), until.timestamp())
    assert all(a < b for a, b in zip(found.edges, found.edges[1:], strict=False))
    assert len(found.bucket) == len(found.edges) - 1
    assert max(found.bucket) < len(found.labels)
    for edge, bucket in zip(found.edges, found.bucket, strict=False):
        local = datetime.fromtimestamp(edge, UTC).astimezone(where)
        if period is Period.DAY:
            assert found.labels[bucket] == local.date().isoformat()
        if period is Period.WEEKDAY_HOUR:
            assert found.labels[bucket] == f"{local:%A} {local.hour:02d}"


def test_periods_of_several_zones_have_one_list_of_labels() -> None:
    zones = [ZoneInfo(z) for z in ("Europe/Belgrade", "Australia/Lord_Howe")]
    window = Window(date(2026, 10, 24), date(2026, 10, 26))
    cuts = aligned({z: cut(Period.HOUR, *window.instants(z), z) for z in zones})
    labels = [cuts[z].labels for z in zones]
    assert labels[0] == labels[1]
    assert len(labels[0]) == len(set(labels[0])) == 49 + 48


def test_a_whole_period_is_that_of_a_day_or_the_last_that_has_ended() -> None:
    assert whole_period(Period.QUARTER, date(2026, 5, 9)) == Window(
        date(2026, 4, 1), date(2026, 7, 1)
    )
    assert last_whole(Period.MONTH, date(2026, 1, 1)) == Window(date(2025, 12, 1), date(2026, 1, 1))
    assert last_whole(Period.WEEK, date(2026, 11, 25)).begins == date(2026, 11, 16)
    assert last_whole(Period.DAY, date(2026, 3, 1)).begins == date(2026, 2, 28)
    assert last_whole(Period.YEAR, date(2026, 3, 1)).begins == date(2025, 1, 1)


@pytest.mark.parametrize(
    ("begins", "ends", "words"),
    [
        ("yesterday", "2026-01-01", "neither a date"),
        ("2026-01-02", "2026-01-01", "before it ends"),
        ("2026-01-01T08:00:00", "2026-01-02", "with its zone"),
        ("2026-01-01T08:01:00Z", "2026-01-02", "quarter-hour"),
        ("2026-02-30", "2026-03-01", "neither a date"),
        ("", "2026-03-01", "neither a date"),
    ],
)
def test_a_bad_window_says_what_to_give(begins: str, ends: str, words: str) -> None:
    with pytest.raises(BadWindow, match=words):
        read_window(begins, ends)


def test_too_many_periods_are_refused() -> None:
    zone = ZoneInfo("UTC")
    since, until = Window(date(2020, 1, 1), date(2026, 1, 1)).instants(zone)
    with pytest.raises(BadWindow, match="longer ones"):
        cut(Period.QUARTER_HOUR, since, until, zone)
