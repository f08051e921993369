"""What `PH` means in opening hours on a day that is a holiday of our own, or worked by us. Pure."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from app.calls.hours import OwnDays, is_holiday, open_stretches

ZONE = "Europe/Belgrade"
# A Tuesday, and Armistice Day, a Wednesday.
TUESDAY, ARMISTICE = date(2026, 11, 10), date(2026, 11, 11)
OURS: OwnDays = {TUESDAY: True, ARMISTICE: False}
SINCE, UNTIL = datetime(2026, 11, 9, 23, tzinfo=UTC), datetime(2026, 11, 12, 23, tzinfo=UTC)


def opened(text: str, own: OwnDays, country: str | None = "RS") -> list[tuple[str, str]]:
    """Return the stretches of Tuesday to Thursday, as day and hour on the clock on the wall."""
    found = open_stretches(text, ZONE, country, SINCE, UNTIL, own)
    zone = ZoneInfo(ZONE)
    return [
        (f"{begin.astimezone(zone):%d %H:%M}", f"{end.astimezone(zone):%d %H:%M}")
        for begin, end in found
    ]


WORKS = [(f"{day} 08:00", f"{day} 20:00") for day in ("10", "11", "12")]


@pytest.mark.parametrize(
    ("text", "of_country", "with_ours"),
    [
        ("Mo-Fr 08:00-20:00; PH off", [WORKS[0], WORKS[2]], WORKS[1:]),
        ("Mo-Fr 08:00-20:00", WORKS, WORKS),
        ("24/7", [("10 00:00", "13 00:00")], [("10 00:00", "13 00:00")]),
        # Two rules about holidays, and one that names them among weekdays.
        (
            "Mo 08:00-20:00; PH,Su 10:00-12:00",
            [("11 10:00", "11 12:00")],
            [("10 10:00", "10 12:00")],
        ),
        # What opens on the holiday is open until the next morning.
        ("PH 20:00-04:00", [("11 20:00", "12 04:00")], [("10 20:00", "11 04:00")]),
        (
            "24/7; PH off",
            [("10 00:00", "11 00:00"), ("12 00:00", "13 00:00")],
            [("11 00:00", "13 00:00")],
        ),
        ("Jan-Nov Mo-Fr 08:00-20:00; Nov PH off", [WORKS[0], WORKS[2]], WORKS[1:]),
    ],
)
def test_hours_go_by_our_own_days(
    text: str, of_country: list[tuple[str, str]], with_ours: list[tuple[str, str]]
) -> None:
    assert opened(text, {}) == of_country
    assert opened(text, OURS) == with_ours
    said_again = {ARMISTICE: True, TUESDAY: False, date(2026, 11, 12): False}
    assert opened(text, said_again) == of_country, "what the country says, too, changes nothing"


def test_what_is_counted_from_a_holiday_goes_by_the_country() -> None:
    text = "Mo-Fr 08:00-20:00; PH +1 day off"
    assert opened(text, OURS) == opened(text, {})


def test_a_day_of_our_own_counts_where_no_holidays_are_known() -> None:
    assert opened("Mo-Fr 08:00-20:00; PH off", OURS, None) == WORKS[1:]
    zone = ZoneInfo(ZONE)
    for country in ("RS", None):
        assert is_holiday(TUESDAY, zone, country, OURS)
        assert not is_holiday(ARMISTICE, zone, country, OURS)
    assert is_holiday(ARMISTICE, zone, "RS")


def test_adjoining_days_of_our_own_are_one_stretch_across_midnight() -> None:
    both = {TUESDAY: True, date(2026, 11, 12): True, ARMISTICE: True}
    assert opened("PH 00:00-24:00", both) == [("10 00:00", "13 00:00")]
    night = "Mo-Su 22:00-06:00; PH 20:00-08:00"
    assert opened(night, {TUESDAY: True})[0] == ("10 20:00", "11 08:00")
    assert opened(night, {ARMISTICE: True}) == opened(night, {})
