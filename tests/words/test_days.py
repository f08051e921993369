"""Dates and times as the reader's language writes them, and in which zone."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from app.words import days

BELGRADE = ZoneInfo("Europe/Belgrade")
AT = datetime(2026, 11, 4, 17, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "day", "moment"),
    [
        ("en", "Nov 4, 2026", "Nov 4, 2026, 18:30"),
        ("sr", "4. 11. 2026.", "4. 11. 2026. 18:30"),
        ("bg", "4.11.2026\u202fг.", "4.11.2026\u202fг., 18:30"),
        ("uk", "4 лист. 2026\u202fр.", "4 лист. 2026\u202fр., 18:30"),
    ],
)
def test_a_date_is_written_in_the_order_of_the_language(
    language: str, day: str, moment: str
) -> None:
    assert days.day(date(2026, 11, 4), language) == day
    assert days.moment(AT, language, BELGRADE) == moment


def test_a_time_names_its_zone_where_the_reader_may_be_in_another() -> None:
    assert days.moment(AT, "sr", BELGRADE, named=True) == "4. 11. 2026. 18:30 CET"
    summer = datetime(2026, 7, 4, 17, 30, tzinfo=UTC)
    assert days.moment(summer, "en", BELGRADE, named=True) == "Jul 4, 2026, 19:30 CEST"
    assert days.zone_words(BELGRADE, "en") == "Central European Time"
    assert days.zone_words(BELGRADE, "sr") == "Srednjeevropsko vreme"


def test_a_wall_time_without_a_zone_stays_as_it_is() -> None:
    assert days.moment(datetime(2026, 11, 4, 18, 30), "en") == "Nov 4, 2026, 18:30"
