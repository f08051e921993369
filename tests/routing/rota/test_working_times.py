"""Hours a week, and when people can work: written down by those who plan."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from app import words
from app.errors import Invalid, NotAllowed, NotFound
from app.routing.rota import working_times
from app.routing.rota.working_times import Times, read_available, read_days
from app.staff.log_kinds import AuditLog
from app.words import about
from app.work import Work
from tests.support.duties import a_taker, log_of
from tests.support.verbs import a_supervisor, an_administrator

ZONE = ZoneInfo("Europe/Belgrade")


async def test_working_times_are_written_down_with_before_and_after(work: Work) -> None:
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    await working_times.set_times(work, vera, ana.id, 38.5, None)
    nights = read_available({"FR": ["22:00-06:00"]})
    await working_times.set_times(work, vera, ana.id, 16, nights)
    detail = log_of(work, AuditLog.WORKING_TIMES_SET)
    assert detail["before"] == {"hours": 38.5, "available": None}
    assert detail["after"]["hours"] == 16
    assert detail["after"]["available"]["SA"] == ["00:00-06:00"]
    assert (await working_times.all_times(work))[ana.id] == Times(960, nights)


async def test_what_cannot_be_written_down_is_refused(work: Work) -> None:
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    with pytest.raises(NotAllowed):
        await working_times.set_times(work, ana, ana.id, 40, None)
    petra = await an_administrator(work, "petra")
    with pytest.raises(NotFound):
        await working_times.set_times(work, vera, petra.id, 40, None)
    for hours in (-1, 169, float("nan")):
        with pytest.raises(Invalid):
            await working_times.set_times(work, vera, ana.id, hours, None)
    with pytest.raises(Invalid, match="choose any time"):
        await working_times.set_times(work, vera, ana.id, 8, ())
    for wrong in ("8 past 16", "08:00-08:00", "25:00-26:00", "08:61-09:00", ""):
        with pytest.raises(Invalid, match="is not a time"):
            read_available({"MO": [wrong]})
    with pytest.raises(Invalid, match="is not a day"):
        read_available({"XX": ["08:00-16:00"]})


def test_times_are_read_joined_and_said_by_day() -> None:
    days = {"MO": "8-12, 12:00-16:00, 20:00–24:00", "TU": "", "SU": "22:00-06:00"}
    found = read_available(read_days(days))
    assert found == ((0, 360), (480, 960), (1200, 1440), (9960, 10080))
    words = Times(0, found).by_day()
    assert words["MO"] == ["00:00-06:00", "08:00-16:00", "20:00-24:00"]
    assert (words["TU"], words["SU"]) == ([], ["22:00-24:00"])


def test_times_are_read_with_the_words_of_every_language_between_them() -> None:
    said = [f"8 {one} 16:30" for language in words.languages() for one in about(language).until]
    assert len(said) >= len(words.languages())
    for one in (*said, "8—16:30", "08.00 – 16.30 h", "8h Till 16:30", "8 până  la 16:30"):
        assert read_available({"MO": [one]}) == ((480, 990),), one


def test_times_become_instants_and_a_night_is_one_over_midnight() -> None:
    times = Times(0, read_available({"SU": ["22:00-06:00"], "MO": ["06:00-10:00"]}))
    spans = times.spans(ZONE, date(2030, 1, 16), date(2030, 1, 21))
    assert spans is not None
    assert [[f"{at.astimezone(ZONE):%d %H}" for at in span] for span in spans] == [
        ["14 00", "14 10"],
        ["20 22", "21 10"],
        ["27 22", "28 00"],
    ]
    assert Times(0).spans(ZONE, date(2030, 1, 16), date(2030, 1, 21)) is None
