"""Opening hours by weekday are the same hours as their text, and back."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from opening_hours import OpeningHours

from app.calls.hours import is_holiday
from app.calls.weekly_hours import HOLIDAYS, read_sent, read_week, write_week
from app.errors import Invalid


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("24/7", "24/7"),
        ("Mo-Fr 08:00-20:00; PH off", "Mo-Fr 08:00-20:00; PH off"),
        ("08:00-20:00", "Mo-Su 08:00-20:00"),
        ("Fr-Mo 22:00-06:00", "Mo,Fr-Su 22:00-06:00"),
        ("Mo-Fr 08:00-12:00, 14:00-18:00; We off", "Mo-Tu,Th-Fr 08:00-12:00,14:00-18:00"),
        ("24/7; PH 10:00-14:00", "Mo-Su 00:00-24:00; PH 10:00-14:00"),
        ("Mo-Su off", "Mo-Su off"),
    ],
)
def test_hours_by_weekday_are_written_as_they_are_read(text: str, written: str) -> None:
    week = read_week(text)
    assert week is not None
    assert write_week(week) == written
    assert read_week(written) == week
    OpeningHours(written)


@pytest.mark.parametrize("text", ["Jan-Mar Mo 08:00-10:00", "Mo sunrise-sunset", "Xy 08:00-10:00"])
def test_what_is_more_than_weekdays_is_left_to_its_text(text: str) -> None:
    assert read_week(text) is None


def test_a_form_says_closed_days_by_leaving_them_out_and_refuses_half_a_time() -> None:
    sent = {"hours.Mo": "open", "hours.Mo.from": "08:00", "hours.Mo.until": "00:00"}
    assert write_week(read_sent({**sent, f"hours.{HOLIDAYS}": "same"})) == "Mo 08:00-24:00"
    assert write_week(read_sent({**sent, f"hours.{HOLIDAYS}": "closed"})).endswith("; PH off")
    with pytest.raises(Invalid):
        read_sent({**sent, "hours.Mo.until": ""})


def test_a_country_whose_holidays_are_not_known_has_days_that_are_all_alike() -> None:
    new_year = date(2030, 1, 1)
    assert is_holiday(new_year, ZoneInfo("Europe/Belgrade"), "RS")
    assert not is_holiday(new_year, ZoneInfo("Africa/Dar_es_Salaam"), "TZ")
