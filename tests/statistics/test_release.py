"""What is published singles out no child, even to a reader who has all of it and knows the program.

The attacker here has every published table, knows which cells are sums of which others, how numbers
are rounded and how likely each of the two ways is; not the secret that decides it. They try twice:
within bounds, by linear programs, and by what is likely, by passing beliefs between the cells and
the sums (loopy belief propagation: Pearl 1988; exact enough for a bounded test).
"""

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import highspy
import numpy as np
import pytest
from numpy.typing import NDArray

from app.demo.stage import Stage
from app.errors import Invalid
from app.staff.roles import Role
from app.statistics.periods import Period
from app.statistics.protection.guard import BASE, Rounding
from app.statistics.published.release import read_public_period
from tests.support.profile import by_day

pytestmark = pytest.mark.whole

REGIONS, SEXES, AGES = 24, ("girl", "boy", "other"), 7
SMALLEST = 5


@dataclass
class Published:
    """The cells of a release, and which of them add up; `true` is what the attacker wants."""

    shown: dict[str, int] = field(default_factory=dict)
    true: dict[str, int] = field(default_factory=dict)
    sums: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    # What is shown as it was counted.
    exact: set[str] = field(default_factory=set)

    def off_by(self, name: str) -> int:
        """By how much a shown number can differ from the count."""
        return 0 if name in self.exact else BASE - 1


def release_of(seed: int, children: int, *, only_small: bool = False) -> Published:
    """Three tables over the same children by region, age and gender, rounded by a secret; or only
    the small counts of them, which is not what we do.
    """
    dice = random.Random(seed)
    keys = Rounding(dice.randbytes(32)).keys(dice.randbytes(16 * children))
    rounding = Rounding(dice.randbytes(32))
    weights = [1 / (n + 1) for n in range(REGIONS)]
    cells: dict[str, list[int]] = defaultdict(list)
    for key in keys.tolist():
        region = f"r{dice.choices(range(REGIONS), weights)[0]}"
        sex = dice.choices(SEXES, (60, 38, 2))[0]
        age = f"a{dice.randrange(AGES)}"
        for name in (
            "all",
            region,
            sex,
            age,
            f"{region} {sex}",
            f"{age} {sex}",
            f"{region} {age}",
        ):
            cells[name].append(key)
    regions, ages = [f"r{n}" for n in range(REGIONS)], [f"a{n}" for n in range(AGES)]
    found = Published()
    for rows, columns in ((regions, list(SEXES)), (ages, list(SEXES)), (regions, ages)):
        found.sums.append(("all", tuple(rows)))
        found.sums += [(row, tuple(f"{row} {c}" for c in columns)) for row in rows]
        found.sums += [(c, tuple(f"{row} {c}" for row in rows)) for c in columns]
    found.sums.append(("all", SEXES))
    for name in {cell for whole, parts in found.sums for cell in (whole, *parts)}:
        members = cells.get(name, [])
        found.true[name] = len(members)
        found.shown[name] = rounding.rounded(len(members), sum(members))
        if only_small and not 0 < len(members) < SMALLEST:
            found.shown[name] = len(members)
            found.exact.add(name)
    return found


def bounds(found: Published, names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """The least and the greatest count that all that is published allows."""
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.silent()
    place = {name: n for n, name in enumerate(sorted(found.shown))}
    for name in place:
        shown, off = found.shown[name], found.off_by(name)
        solver.addVar(float(max(shown - off, 0)), float(shown + off))
    for whole, parts in found.sums:
        index = np.array([place[whole], *(place[p] for p in parts)], dtype=np.int32)
        value = np.array([-1.0, *(1.0 for _ in parts)])
        solver.addRow(0.0, 0.0, len(index), index, value)
    ranges = {}
    for name in names:
        ends = []
        for sense in (highspy.ObjSense.kMinimize, highspy.ObjSense.kMaximize):
            solver.changeObjectiveSense(sense)
            solver.changeColCost(place[name], 1.0)
            solver.run()
            ends.append(solver.getInfo().objective_function_value)
            solver.changeColCost(place[name], 0.0)
        ranges[name] = int(np.ceil(ends[0] - 1e-6)), int(np.floor(ends[1] + 1e-6))
    return ranges


_OFFSETS = np.arange(-BASE + 1, BASE)
Belief = NDArray[np.float64]


def _prior(found: Published, name: str) -> Belief:
    """How likely each count around a shown number makes that number."""
    shown, off = found.shown[name], found.off_by(name)
    likely = np.clip(1 - np.abs(_OFFSETS) / (off + 1), 0, 1)
    return np.where(shown + _OFFSETS >= 0, likely, 0.0)


def _spread(beliefs: list[Belief], middle: int) -> Belief:
    """The belief about a sum, around the sum of what is shown, brought to the window of offsets
    around `middle`."""
    wide = np.array([1.0])
    for one in beliefs:
        wide = np.convolve(wide, one)
    reach = (len(wide) - 1) // 2
    found = np.zeros(len(_OFFSETS))
    for n, offset in enumerate(_OFFSETS):
        place = offset + middle + reach
        if 0 <= place < len(wide):
            found[n] = wide[place]
    total = found.sum()
    return found / total if total else np.full(len(_OFFSETS), 1 / len(_OFFSETS))


def beliefs(found: Published, rounds: int = 8) -> dict[str, Belief]:
    """What an attacker believes of each cell after asking all sums, again and again."""
    messages: dict[tuple[int, str], Belief] = {}
    of_cell: dict[str, list[int]] = defaultdict(list)
    for n, (whole, parts) in enumerate(found.sums):
        for name in (whole, *parts):
            of_cell[name].append(n)
            messages[n, name] = np.full(len(_OFFSETS), 1 / len(_OFFSETS))

    def of(name: str, without: int | None = None) -> Belief:
        known = _prior(found, name)
        for n in of_cell[name]:
            if n != without:
                known = known * messages[n, name]
        total = known.sum()
        return known / total if total else _prior(found, name)

    for _ in range(rounds):
        new = {}
        for n, (whole, parts) in enumerate(found.sums):
            mine = {name: of(name, n) for name in (whole, *parts)}
            gap = found.shown[whole] - sum(found.shown[p] for p in parts)
            for name in parts:
                others = [mine[p] for p in parts if p != name]
                # part = whole - others: turned round, each belief is mirrored.
                new[n, name] = _spread([mine[whole], *(b[::-1] for b in others)], -gap)
            new[n, whole] = _spread([mine[p] for p in parts], gap)
        # Half of the old belief stays, so that circles of sums come to rest.
        messages = {key: (messages[key] + new[key]) / 2 for key in messages}
    return {name: of(name) for name in found.shown}


@pytest.mark.parametrize(("seed", "children"), by_day([(2, 900), (1, 120), (3, 4000)]))
def test_no_small_count_is_known(seed: int, children: int) -> None:
    found = release_of(seed, children)
    small = sorted(name for name, n in found.true.items() if 0 < n < SMALLEST)
    assert len(small) > 20
    ranges = bounds(found, random.Random(seed).sample(small, 20))
    for name, (low, high) in ranges.items():
        assert low <= found.true[name] <= high
        # A reader cannot tell that there is a child at all, or that there is a single one.
        assert high - low >= 2, (name, low, high)
    believed = beliefs(found)
    sure, right = 0, 0
    for name in small:
        belief = believed[name]
        best = int(belief.argmax())
        sure += belief[best] > 0.9
        right += found.shown[name] + int(_OFFSETS[best]) == found.true[name]
    assert sure / len(small) < 0.02, "of a count that is almost certain"
    assert right / len(small) < 0.6, "guessed by what is likely"


def test_the_same_attack_knows_small_counts_where_only_those_are_rounded() -> None:
    found = release_of(2, 900, only_small=True)
    small = sorted(name for name, n in found.true.items() if 0 < n < SMALLEST)
    known = [name for name, (low, high) in bounds(found, small).items() if low == high]
    assert len(known) > 5
    believed = beliefs(found)
    assert sum(believed[name].max() > 0.9 for name in small) > len(small) / 10


async def test_what_is_published_is_what_every_other_table_says(house: Stage) -> None:
    boss = await house.add_counsellor("publisher", role=Role.ADMINISTRATOR, shift=False, state=None)
    not_over = await boss.ask("POST", "/statistics/public/2026", {})
    assert (not_over.status_code, "not over" in not_over.text) == (422, True)
    house.stepped.move_to(house.clock.now().replace(year=2027, month=2))
    await boss.sign_in()
    assert (await boss.ask("POST", "/statistics/public/2026-Q1", {})).status_code == 422
    made = await boss.ask("POST", "/statistics/public/2026", {})
    assert made.status_code == 200, made.text
    again = await boss.ask("POST", "/statistics/public/2026", {})
    assert (again.status_code, "does not change" in again.text) == (409, True)
    auditor = await house.add_counsellor("reader", role=Role.AUDITOR, shift=False, state=None)
    found = (await auditor.ask("GET", "/statistics/public/2026")).json()
    assert (await auditor.ask("POST", "/statistics/public/2025", {})).status_code == 403
    tables = {table["code"]: table for table in found["tables"]}
    for table in tables.values():
        numbers = [n for row in table["rows"] for n in row["numbers"]] + table["total"]
        assert table["rounded"] == (table["unit"] != "calls")
        if table["rounded"]:
            assert all(n % BASE == 0 for n in numbers)
            assert any(numbers)
        else:
            assert sum(row["numbers"][-1] for row in table["rows"]) == table["total"][-1]
    # The same children are the same number wherever they are counted.
    for one, other in (("regions", "region_ages"), ("regions", "ages")):
        assert tables[one]["total"][-1] == tables[other]["total"][-1]

    def by_region(code: str) -> dict[str, int]:
        # A row that is rounded to nothing may stand in one table and be left out of another.
        rows = ((row["label"], row["numbers"][-1]) for row in tables[code]["rows"])
        return {label: number for label, number in rows if number}

    assert by_region("regions") == by_region("region_ages")
    url = f"{house.settings.public_url}/reports/public/2026"
    page = await house.client.get(
        url, headers={"Cookie": "; ".join(f"{k}={v}" for k, v in auditor.cookies.items())}
    )
    assert page.status_code == 200
    assert page.text.count("<td>") == sum(
        len(table["columns"]) * (len(table["rows"]) + 1) for table in tables.values()
    )


def test_the_name_of_a_public_period() -> None:
    assert read_public_period("2026-Q2", Period.QUARTER).words == "2026-04-01/2026-07-01"
    assert read_public_period("2026-02", Period.MONTH).words == "2026-02-01/2026-03-01"
    month, quarter, year = Period.MONTH, Period.QUARTER, Period.YEAR
    for text, kind in (("2026-13", month), ("2026-Q5", quarter), ("26", year), ("", year)):
        with pytest.raises(Invalid, match="like 2026"):
            read_public_period(text, kind)
