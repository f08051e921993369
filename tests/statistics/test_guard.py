"""An attacker who has every table and knows the program cannot single out a contact.

The attacker asks for what a plain token may have: windows that differ, tables that differ by one
dimension, the same table in every format and again. They know how numbers are rounded, not the
secret by which it is decided.
"""

import itertools
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.errors import NotAllowed
from app.jobs.transaction import transaction
from app.staff.roles import Role
from app.staff.tokens import add_token
from app.statistics.counting.conditions import UNMAPPED, Translator
from app.statistics.counting.labels import TOTAL
from app.statistics.counting.shape_figures import count_shape
from app.statistics.counting.shapes import shapes_in
from app.statistics.counting.summary import FiguresWanted, summarise, zones_of
from app.statistics.dimensions import Dimension
from app.statistics.facts.days import reading
from app.statistics.periods import Period, Window
from app.statistics.protection import budget
from app.statistics.protection.guard import BASE, Rounding, check_grid, is_content, on_grid, over_by
from app.work import PROGRAM
from tests.support.people import person
from tests.support.profile import WHOLE
from tests.support.random_life.life import Life
from tests.support.recount import grouping, logs
from tests.support.recount.exactly import summarise_exactly

MAY = Window(date(2026, 5, 1), date(2026, 6, 1))


SECRET = b"x" * 32


LATER = datetime(2026, 9, 1, tzinfo=UTC)


def ids(count: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(16 * count)


def test_rounding_adds_nothing_on_the_average_and_moves_no_number_far() -> None:
    rounding = Rounding(SECRET)
    for count in range(12):
        keys = random.Random(count).sample(range(2**32), 6000)
        shown = [rounding.rounded(count, key) for key in keys]
        assert all(n % BASE == 0 and abs(n - count) < BASE for n in shown)
        assert np.mean(shown) == pytest.approx(count, abs=0.06)
    assert rounding.rounded(0, 7) == 0, "no contact is invented where there is none"


def test_the_same_contacts_give_the_same_number_and_one_more_another_draw() -> None:
    rounding = Rounding(SECRET)
    known = rounding.keys(ids(40, 1))
    assert (known < 2**32).all()
    assert len(set(known.tolist())) == 40
    assert (rounding.keys(ids(40, 1)) == known).all()
    assert (Rounding(b"y" * 32).keys(ids(40, 1)) != known).any()
    differences = Counter(
        rounding.rounded(5, int(k[:5].sum())) - rounding.rounded(4, int(k[:4].sum()))
        for k in (rounding.keys(ids(40, seed)) for seed in range(3000))
    )
    # An attacker who knows both numbers cannot tell whether the fifth is there.
    assert set(differences) == {-3, 0, 3}
    assert max(differences.values()) < 2200, differences


def test_what_was_said_is_counted_by_whole_months() -> None:
    told = [d for d in Dimension if is_content(d)]
    assert {Dimension.CATEGORY, Dimension.PLACE, Dimension.SEX, Dimension.AGE_BAND} <= set(told)
    assert not {Dimension.LINE, Dimension.OUTCOME, Dimension.CHANNEL} & set(told)
    for window in (
        Window(date(2026, 5, 1), date(2026, 5, 31)),
        Window(date(2026, 5, 2), date(2026, 6, 2)),
        Window(date(2026, 5, 4), date(2026, 5, 11)),
    ):
        assert not on_grid(window, None, LATER)
        with pytest.raises(NotAllowed, match="whole months"):
            check_grid(window, None, (Dimension.PLACE,), LATER)
        check_grid(window, None, (Dimension.OUTCOME,), LATER)
    for period in (Period.DAY, Period.WEEK, Period.HOUR, Period.WEEKDAY_HOUR):
        with pytest.raises(NotAllowed):
            check_grid(MAY, period, (Dimension.PLACE,), LATER)
    check_grid(MAY, Period.MONTH, (Dimension.PLACE, Dimension.SEX), LATER)
    # In a month that runs on, the tables of two days would tell what came in between.
    running = datetime(2026, 5, 20, tzinfo=UTC)
    assert not on_grid(MAY, None, running)
    year = Window(date(2026, 1, 1), date(2027, 1, 1))
    assert over_by(year, running) == Window(date(2026, 1, 1), date(2026, 5, 1))
    with pytest.raises(NotAllowed):
        over_by(MAY, running)


async def _cells(who: Counsellor, query: str) -> dict[tuple[str, ...], Any]:
    answer = await who.ask("GET", f"/statistics/summary?{query}")
    assert answer.status_code == 200, answer.text
    by = [w for w in query.split("by=")[1].split("&")[0].split(",") if w != "month"]
    return {
        (row["period"], *(row[name] for name in by)): row
        for row in answer.json()["rows"]
        if row["row"] == "cell"
    }


async def test_no_contact_is_found_by_taking_tables_apart(
    house: Stage, life: Life, lived_through: str
) -> None:
    boss = await person(house, "admin of cells", Role.ADMINISTRATOR)
    chief = await person(house, "chief of cells", Role.SUPERVISOR)
    month = "from=2026-04-01&to=2026-05-01"
    await _windows_that_differ_a_little_are_refused(boss, chief)
    ones = grouping.within(logs.told(lived_through), date(2026, 4, 1), date(2026, 5, 1))
    places = await _cells(boss, f"{month}&by=place")
    assert places == await _cells(chief, f"{month}&by=place"), "the same cells for every account"
    exact = {
        place: sum(place in grouping.DIMENSIONS["place"](one) and bool(one.contact) for one in ones)
        for place in ("RS-BG", "RS-01", "RS-08", "RS-VO")
    }
    certain = 0
    for place, count in exact.items():
        shown = places["", place]["contacts"]
        assert shown % BASE == 0
        assert abs(shown - count) < BASE
        assert places["", place]["answered"] is None, "no other measure tells it"
        # By sex the same contacts fall apart, and their sum leaves the place as open as it was.
        parts = await _cells(boss, f"{month}&by=place,sex")
        # What is left out rounds to 0, and need not be empty.
        told = [
            parts[period, place, sex]["contacts"] if (period, place, sex) in parts else 0
            for period, sex in {(key[0], key[2]) for key in parts}
        ]
        ranges = [range(max(one - BASE + 1, 0), one + BASE) for one in told]
        low, high = sum(r.start for r in ranges), sum(r.stop - 1 for r in ranges)
        feasible = [n for n in range(max(shown - BASE + 1, 0), shown + BASE) if n <= high]
        assert len([n for n in feasible if low - len(ranges) * BASE <= n]) > 1
        certain += len(feasible) == 1
    assert certain == 0
    # No row tells by being there that it is not empty.
    assert all(
        any(
            row[n] for n in ("contacts", "contacts_completed", "urgent_contacts", "non_counselling")
        )
        for row in places.values()
    )
    await _does_not_average_out_over_windows(boss)
    # Asked for again, in another format, the same: nothing averages out.
    for _ in range(3):
        assert await _cells(boss, f"{month}&by=place") == places
    # Single calls by the second are not for a plain account.
    plain = await person(house, "auditor of cells", Role.AUDITOR)
    calls = f"/statistics/calls.csv?{month}"
    assert (await plain.ask("GET", calls)).status_code == 403
    assert (await boss.ask("GET", calls)).status_code == 200


async def _windows_that_differ_a_little_are_refused(*people: Counsellor) -> None:
    """By an hour, a day, a week: to every account."""
    for window in (
        "from=2026-04-01T00:00:00Z&to=2026-05-01T01:00:00Z",
        "from=2026-04-01&to=2026-05-02",
        "from=2026-04-06&to=2026-04-13",
    ):
        for who in people:
            refused = await who.ask("GET", f"/statistics/summary?{window}&by=place")
            assert refused.status_code == 403, window


async def _does_not_average_out_over_windows(boss: Counsellor) -> None:
    """What is said beside other counts is decided by the contacts, too: a month says the same in
    each window in which it may stand."""
    urgent = {
        (
            await boss.ask("GET", f"/statistics/summary?by=month&measures=urgent_contacts&{window}")
        ).json()["rows"][0]["urgent_contacts"]
        for window in (
            "from=2026-05-01&to=2026-06-01",
            "from=2026-05-01&to=2026-07-01",
            "from=2026-05-01&to=2026-08-01",
            "from=2026-05-01&to=2026-09-01",
        )
    }
    assert len(urgent) == 1


async def test_a_report_shows_rounded_numbers_and_its_sums_hold(house: Stage) -> None:
    boss = await person(house, "admin of sums", Role.ADMINISTRATOR)
    report = "/statistics/report.json?report=chi&from=2026-01-01&to=2027-01-01"
    found = (await boss.ask("GET", report)).json()
    numbers = [row["number"] for row in found["rows"] if row["unit"] != "calls" and row["number"]]
    assert len(numbers) > 50
    assert all(n % BASE == 0 for n in numbers)
    sums = [str(note) for note in found["notes"] if "hold" in str(note).lower()]
    assert sums
    # Each holds, and its numbers are not shown beside that.
    assert not [note for note in sums if "DOES NOT HOLD" in note or " and " in note]
    off = "/statistics/report.json?report=chi&from=2026-01-01&to=2026-10-15"
    assert (await boss.ask("GET", off)).status_code == 403


async def test_what_the_framework_lacks_is_rounded_by_the_contacts_that_it_counts(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A category that is in no framework is shown with the number of every other table."""
    monkeypatch.setattr(Translator, "framework", lambda _self, _word: UNMAPPED)
    zones = await zones_of(life.work)
    shape = shapes_in()["chi"]
    rare = 0
    for window in (
        Window(date(2026, begins, 1), date(2026, ends, 1))
        for begins, ends in itertools.combinations(range(1, 9, 1 if WHOLE else 3), 2)
    ):
        asked = FiguresWanted(window, by=(Dimension.CATEGORY,))
        summary = await summarise(life.work, asked)
        cells = {row.values[0]: summary.figures(row)["contacts"] for row in summary.shown_rows}
        async with reading(life.ground, life.now) as look:
            counted = await count_shape(look, zones, shape, window, lambda _, code: code)
        assert counted.coverage is not None
        # One that rounds to nothing is in neither table.
        assert counted.coverage.unmapped == {
            code: n for code, n in cells.items() if n and code not in ("?", "-", TOTAL)
        }
        assert counted.coverage.counted % BASE == 0
        assert 0 <= (counted.coverage.share or 0) <= 1
        exact = await summarise_exactly(life.work, asked)
        numbers = [exact.figures(row)["contacts"] for row in exact.shown_rows]
        rare += any(0 < (n or 0) < BASE for n in numbers)
    # Where every day is lived, a month has many of each.
    assert rare or WHOLE, "some are rounded to nothing or to the least that is shown"


async def test_a_token_has_a_budget_for_tables_about_contents(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "TABLES", 6)
    async with transaction(house.ground, PROGRAM) as work:
        token = await add_token(work, "nightly", ["statistics"], 30)
    base = f"{house.settings.public_url}/api/v1/statistics"

    async def ask(path: str) -> int:
        answer = await house.client.get(base + path, headers={"Authorization": f"Bearer {token}"})
        return answer.status_code

    may = "from=2026-05-01&to=2026-06-01"
    places = f"{may}&by=place"
    # One table in several formats is one table, and can be polled a few times a day.
    kinds = ("summary.csv", "summary.json", "summary.xlsx", "summary.csv", "summary.csv")
    assert [await ask(f"/{kind}?{places}") for kind in kinds] == [200] * 4 + [429]
    months = [f"from=2026-0{n}-01&to=2026-0{n + 1}-01" for n in range(1, 8)]
    answers = [await ask(f"/summary?{month}&by=sex") for month in months]
    assert answers == [200] * 5 + [429] * 2
    # A table that was refused was not counted, so it is refused again.
    assert await ask(f"/summary?{months[-1]}&by=sex") == 429
    assert await ask(f"/referrals.csv?{may}") == 429
    # What tells nothing about contents has no budget; a refusal costs nothing, and a day is new.
    calls = f"/summary?{may}&by=outcome&measures=calls,answered"
    assert [await ask(calls) for _ in range(8)] == [200] * 8
    # In whole months, the urgent contacts are content, whatever they are counted by.
    assert await ask(f"/summary?{may}&by=outcome") == 429
    assert await ask("/summary?from=2026-05-01&to=2026-05-20&by=outcome") == 200
    house.stepped.move_to(house.clock.now() + timedelta(days=1))
    assert await ask(f"/summary.csv?{places}") == 200
    rows = await house.rows("SELECT day FROM asked_tables")
    assert len(rows) == 1, "of days that are over nothing is kept"
