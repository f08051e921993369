"""Opening hours are typed as their reader's language writes them, and stored in one form."""

import pytest

from app import words
from app.calls.weekly_hours import read_week
from app.dashboard.settings.hours_words import hours_words
from app.words import pages
from app.words.local_hours import stored_hours
from tests.support.profile import by_day, each_once

pytestmark = pytest.mark.whole

STORED = [
    "Mo-Fr 08:00-16:00; PH off",
    "Mo,We,Fr 08:00-12:00,13:00-20:00; Sa 10:00-14:00",
    "Mo-Sa 09:00-24:00; Su 10:00-22:00; PH 10:00-14:00",
    "Tu 22:00-06:00; Th 08:30-09:45",
    "24/7",
]


@pytest.mark.parametrize(("text", "language"), each_once(STORED, by_day(words.written(), 2)))
def test_what_a_page_says_can_be_typed_again(language: str, text: str) -> None:
    with pages.spoken_in(language):
        typed = hours_words(text)
        assert read_week(stored_hours(typed)) == read_week(text), typed


@pytest.mark.parametrize(
    ("language", "typed", "stored"),
    by_day(
        [
            ("sr", "pon–pet 8.00–16.00; praznici off", "Mo-Fr 08:00-16:00; PH off"),
            ("sr", "Ponedeljak-Petak 8-16", "Mo-Fr 08:00-16:00"),
            ("sr", "sub., ned. 10:00–12:30", "Sa, Su 10:00-12:30"),
            ("uk", "пн–пт 8–16; сб 9.30–12", "Mo-Fr 08:00-16:00; Sa 09:30-12"),
            ("en", "Mon–Fri 8–16", "Mo-Fr 08:00-16:00"),
            # What is stored is typed as it is, in each language; what is not known stays.
            ("sr", "Mo-Su 08:00-20:00; PH off", "Mo-Su 08:00-20:00; PH off"),
            ("sr", "Dec 24 off", "Dec 24 off"),
            # To read the catalogue of a language takes as long as all of these.
            ("ro", "lun.–vin. 08:00–16:00", "Mo-Fr 08:00-16:00"),
        ],
        7,
    ),
)
def test_days_and_times_are_read_as_a_language_writes_them(
    language: str, typed: str, stored: str
) -> None:
    with pages.spoken_in(language):
        assert stored_hours(typed) == stored
