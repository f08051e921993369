"""An attacker who asks for the same referrals in many ways reads one number, not its average.

The draw by which a count is rounded belongs to the referrals that are counted, not to the question.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import text

from app.statistics.counting.referral_figures import ReferralsBy
from app.statistics.exports.exporting import ExportWanted, made
from app.statistics.exports.files import File
from app.statistics.periods import Window
from app.statistics.protection import guarded_referrals
from app.statistics.protection.guard import BASE
from app.statistics.reports import sections
from app.work import Work
from tests.support import planted
from tests.support.profile import WHOLE, by_day
from tests.support.verbs import a_line, a_supervisor

# Together they take seconds, and are not among the fast ones.
pytestmark = pytest.mark.whole

# The month in which the referrals are; all others are empty.
MONTH = 2029, 6
LATER = datetime(2030, 2, 1, tzinfo=UTC)
_COPY = text("""
    INSERT INTO referrals SELECT (jsonb_populate_record(r, jsonb_build_object(
      'id', md5('referral ' || n)::uuid,
      'code', r.code || n,
      'opened_at', r.opened_at - make_interval(months => n)
    ))).* FROM referrals r, generate_series(1, :more) n
""")


async def referrals(work: Work, many: int) -> None:
    """Referrals of one month that one agency has accepted."""
    await a_line(work)
    boss = await a_supervisor(work)
    for _ in range(many):
        await planted.an_open_referral(work, boss)
    at = {"at": datetime(*MONTH, 10, tzinfo=UTC)}
    await work.session.execute(text("UPDATE referrals SET opened_at = :at"), at)
    await work.session.execute(text("UPDATE recipients SET offered_at = :at"), at)
    work.now = LATER


def months(begins: int, ends: int) -> Window:
    """A window by the months between it and the month of the referrals."""
    year, month = MONTH

    def first(away: int) -> date:
        return date(year + (month - 1 + away) // 12, (month - 1 + away) % 12 + 1, 1)

    return Window(first(begins), first(ends))


def windows() -> Iterator[Window]:
    """Windows that hold the month, and begin or end in an empty one."""
    yield months(0, 1)
    yield from (months(-back, 1) for back in (range(1, 25) if WHOLE else (1, 2, 7, 24)))
    yield from (months(0, on) for on in (range(2, 7) if WHOLE else (2, 6)))


async def shown(work: Work, window: Window) -> dict[tuple[str, ...], Any]:
    """Every figure of referrals, by whatever they are counted."""
    found: dict[tuple[str, ...], Any] = {}
    for by in ReferralsBy:
        _, rows, total = await guarded_referrals.by_thing(work, window, by)
        for one in (*rows, total):
            found |= {(by, one.value, name): number for name, number in one.numbers.items()}
    for row in (await guarded_referrals.by_agency(work, window))[1]:
        found |= {("agency", row.agency, name): number for name, number in row.values.items()}
        found["agency", row.agency, "reasons"] = row.rejections, row.outcomes
    return found


@pytest.mark.parametrize("many", by_day([2, 1, 5]))
async def test_windows_with_the_same_referrals_show_the_same_figures(work: Work, many: int) -> None:
    await referrals(work, many)
    first, *others = [await shown(work, window) for window in windows()]
    assert len(others) == (29 if WHOLE else 6)
    assert all(one == first for one in others)
    assert abs(first["sector", "all", "opened"] - many) < BASE


async def test_the_same_referrals_show_the_same_figure_whatever_they_are_counted_by(
    work: Work,
) -> None:
    """All are of one agency, one urgency and one state, and that agency has accepted them all."""
    await referrals(work, 2)
    found = await shown(work, months(0, 1))
    number = found["sector", "all", "opened"]
    assert number in (0, BASE)
    assert {found[by, "all", "opened"] for by in ReferralsBy} == {number}
    assert found["agency", "all", "offered"] == number
    assert found["agency", "all", "accepted"] == number
    assert found["agency", "all", "acknowledged"] == number
    for by in (*ReferralsBy, "agency"):
        name = "offered" if by == "agency" else "opened"
        parts = [n for key, n in found.items() if key[0] == by and key[2] == name]
        # A row that rounds to nothing is left out.
        assert parts == ([number, number] if number else [0]), by


async def test_a_report_and_a_file_show_the_figure_of_every_window(work: Work) -> None:
    await referrals(work, 1)
    _, _, total = await guarded_referrals.by_thing(work, months(0, 1), ReferralsBy.SECTOR)
    for window in (months(0, 1), months(-3, 1), months(-20, 1), months(-5, 4)):
        for section in await sections.referral_sections(work, window):
            assert section.grid is not None
            assert section.grid.rows[-1][1] == str(total.numbers["opened"])
        for by in (None, *ReferralsBy):
            wanted = ExportWanted(File.REFERRALS, window, "csv", referrals_by=by)
            async with made(work, wanted) as file:
                (batch,) = [one async for one in file.batches]
            rows = batch.to_pylist()
            whole = next(row for row in rows if row[by or "agency"] == "all")
            assert whole["opened" if by else "offered"] == total.numbers["opened"]


async def test_other_referrals_have_another_draw_and_nothing_is_added_on_the_average(
    work: Work,
) -> None:
    await referrals(work, 1)
    await work.session.execute(_COPY, {"more": 200})
    # One referral in each month: alone, and with that of the month before.
    alone: list[int] = []
    two: list[int] = []
    for back in range(200):
        for begins, found in ((-back, alone), (-back - 1, two)):
            _, _, total = await guarded_referrals.by_thing(
                work, months(begins, 1 - back), ReferralsBy.STATE
            )
            found.append(total.numbers["opened"])
    assert set(alone) == set(two) == {0, BASE}
    assert sum(alone) / len(alone) == pytest.approx(1, abs=0.5)
    assert sum(two) / len(two) == pytest.approx(2, abs=0.5)
    # A window minus the smaller one does not tell whether the other referral is there.
    assert {both - one for both, one in zip(two, alone, strict=True)} == {-BASE, 0, BASE}
