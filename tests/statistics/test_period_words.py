"""Windows and periods are read as the reader's language writes them, not as programs do."""

import re
from datetime import UTC, date, datetime

import pytest

from app.statistics.counting.labels import ended_by_words
from app.statistics.counting.period_words import days_of, edge_words, period_words, released_words
from app.statistics.periods import Period, Window
from app.words import pages
from tests.support.profile import by_day

LABELS = {
    Period.QUARTER_HOUR: "2026-11-09T10:15+01:00",
    Period.HOUR: "2026-11-09T10:00+01:00",
    Period.DAY: "2026-11-09",
    Period.WEEK: "2026-W46",
    Period.MONTH: "2026-11",
    Period.QUARTER: "2026-Q4",
    Period.YEAR: "2026",
    Period.WEEKDAY_HOUR: "Monday 09",
}


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "sr",
            {
                Period.HOUR: "9. 11. 2026. 10:00",
                Period.DAY: "9. 11. 2026.",
                Period.MONTH: "novembar 2026.",
                Period.YEAR: "2026",
                Period.WEEKDAY_HOUR: "ponedeljak 09:00",
            },
        ),
        (
            "en",
            {
                Period.DAY: "Nov 9, 2026",
                Period.WEEK: "Nov 9, 2026 to Nov 15, 2026",
                Period.MONTH: "November 2026",
                Period.QUARTER: "Q4 2026",
            },
        ),
    ],
)
def test_a_period_is_said_as_the_language_writes_it(language: str, said: dict[Period, str]) -> None:
    with pages.spoken_in(language):
        assert {one: period_words(one, LABELS[one]) for one in said} == said


@pytest.mark.parametrize("language", by_day(pages.page_languages(), 3))
def test_no_period_is_said_as_programs_write_it(language: str) -> None:
    assert set(LABELS) == set(Period)
    with pages.spoken_in(language):
        for period, label in LABELS.items():
            words = period_words(period, label)
            assert not re.search(r"\d{4}-[\dQW]|\dT\d|Monday", words) or language == "en", words
            if period is not Period.YEAR:
                assert words != label


def test_a_window_and_a_release_are_said_with_their_days() -> None:
    day = date(2026, 11, 9)
    with pages.spoken_in("sr"):
        assert days_of(Window(day, date(2026, 11, 10))) == "9. 11. 2026."
        assert days_of(Window(day, date(2026, 12, 1))).startswith("9. 11. 2026. ")
        assert edge_words(datetime(2026, 11, 9, 8, 30, tzinfo=UTC)) == "9. 11. 2026. 08:30"
        assert edge_words("2026-11-09") == "9. 11. 2026."
        assert released_words("2026-Q4").endswith("2026.")
        assert released_words("2025") == "2025"


def test_who_ended_a_call_is_said_in_words() -> None:
    assert ended_by_words("caller") == "the caller"
    # One that the program knew once.
    assert ended_by_words("some_body") == "some body"
