"""The rest between duties: what breaks the rules, as they stand in data with their source."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.definitions.datafile import BadDefinition
from app.definitions.folder import read_folder
from app.routing.rota.on_duty import Span
from app.routing.rota.rest import Rules, longest_free, read_rules, short_rests

RULES = read_rules()
MONDAY = datetime(2030, 1, 14, tzinfo=UTC)
WEEK = MONDAY + timedelta(days=7)


def span(day: int, begins: float, ends: float) -> Span:
    midnight = MONDAY + timedelta(days=day)
    return midnight + timedelta(hours=begins), midnight + timedelta(hours=ends)


def test_the_shipped_rules_name_their_source() -> None:
    assert (RULES.source, RULES.daily_hours, RULES.weekly_hours) == ("Directive 2003/88/EC", 11, 35)


def test_eleven_hours_are_enough_and_a_minute_less_is_not() -> None:
    assert short_rests([span(0, 8, 16), span(1, 3, 11)], RULES) == []
    (found,) = short_rests([span(0, 8, 16 + 1 / 60), span(1, 3, 11)], RULES)
    assert (found.begins, found.rest) == (span(1, 3, 11)[0], timedelta(hours=10, minutes=59))


def test_duties_that_follow_each_other_are_one_piece_of_work() -> None:
    assert short_rests([span(0, 6, 12), span(0, 12, 19)], RULES) == []
    (found,) = short_rests([span(0, 12, 20), span(0, 6, 12)], RULES)
    assert (found.rest, found.too_long) == (None, True)


@pytest.mark.parametrize(
    ("spans", "free"),
    [
        ([], 168),
        ([span(day, 8, 16) for day in range(7)], 16),
        ([span(day, 8, 16) for day in range(6)], 32),
        ([span(day, 8, 16) for day in range(5)], 56),
        ([span(day, 8, 16) for day in range(-2, 9) if day != 3], 40),
    ],
)
def test_the_longest_free_time_of_a_week(spans: list[Span], free: int) -> None:
    assert longest_free(spans, MONDAY, WEEK) == timedelta(hours=free)


def test_rest_that_begins_in_the_week_counts_whole() -> None:
    six = [span(day, 8, 16) for day in range(6)]
    two = timedelta(days=2)
    assert longest_free(six, MONDAY, WEEK, two) == timedelta(hours=80)
    assert longest_free([*six, span(7, 8, 16)], MONDAY, WEEK, two) == timedelta(hours=40)
    weekend_before = [span(-3, 8, 16), *(span(day, 8, 16) for day in range(8))]
    assert longest_free(weekend_before, MONDAY, WEEK, two) == timedelta(hours=16)


def test_a_country_has_rules_of_its_own(tmp_path: Path) -> None:
    own = tmp_path / "rest.yaml"
    own.write_text(
        "rest: ours\nversion: 1\nsource: A collective agreement\n"
        "daily_hours: 12\nweekly_hours: 48\n"
    )
    assert read_rules(read_folder(tmp_path)) == Rules(
        rest="ours",
        version=1,
        source="A collective agreement",
        daily_hours=12,
        weekly_hours=48,
    )
    other = tmp_path / "other"
    other.mkdir()
    (other / "rest.yaml").write_text("rest: ours\nversion: 1\nsource: x\ndaily_hours: 30\n")
    with pytest.raises(BadDefinition):
        read_rules(read_folder(other))
