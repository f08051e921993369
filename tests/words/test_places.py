"""Countries and time zones are chosen by their names."""

from app.words import places
from app.words.pages import spoken_in


def test_a_zone_that_counts_the_other_way_round_is_not_offered() -> None:
    """ "Etc/GMT-1" is an hour ahead of UTC, and would read as an hour behind it."""
    offered = dict(places.zone_choices())
    assert offered["Europe/Belgrade"] == "Serbia – Belgrade"
    assert offered["Etc/UTC"] == "UTC"
    assert [one for one in offered if one.startswith("Etc/GMT")] == []
    assert [one for one in offered.values() if "Unknown" in one] == []


def test_the_zone_that_is_set_is_offered_in_any_case() -> None:
    for zone in ("Etc/GMT-1", "CET", "Europe/Belgrade"):
        with spoken_in("sr"):
            found = places.zone_choices(zone)
        assert [one for one, _ in found].count(zone) == 1
        assert {one for one, _ in places.zone_choices()} <= {one for one, _ in found}
