"""Small numbers stay hidden from somebody who has everything that was published.

The attacker here reads the published file, writes down by hand what every table says about its
totals, and knows that a hidden number is at least one. They try twice: exactly, by elimination
with fractions, and within bounds, by linear programs of their own.
"""

import random
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import highspy
import pytest

from app.demo.stage import Stage
from app.errors import Invalid
from app.staff.roles import Role
from app.statistics.release import as_tables, read_public_period
from app.statistics.shapes import CountedRow, CountedTable
from app.statistics.suppression import (
    SMALLEST,
    Equation,
    Tables,
    TooSmall,
    is_small,
    suppress,
)

Row = tuple[dict[str, int], int]


def eliminated(rows: Iterable[Row]) -> dict[str, int]:
    """What follows exactly from the equations: Gauss and Jordan, in fractions."""
    system = [({n: Fraction(f) for n, f in parts.items()}, Fraction(v)) for parts, v in rows]
    done: list[tuple[str, dict[str, Fraction], Fraction]] = []
    for parts, value in system:
        left, right = dict(parts), value
        for pivot, other, known in done:
            if left.get(pivot):
                factor = left[pivot]
                for name, f in other.items():
                    left[name] = left.get(name, Fraction(0)) - factor * f
                right -= factor * known
        left = {n: f for n, f in left.items() if f}
        if not left:
            assert right == 0, "what is published contradicts itself"
            continue
        pivot = min(left)
        scale = left[pivot]
        left, right = {n: f / scale for n, f in left.items()}, right / scale
        for n, (p, other, known) in enumerate(done):
            if other.get(pivot):
                factor = other[pivot]
                for name, f in left.items():
                    other[name] = other.get(name, Fraction(0)) - factor * f
                done[n] = p, {m: f for m, f in other.items() if f}, known - factor * right
        done.append((pivot, left, right))
    return {p: int(v) for p, parts, v in done if len(parts) == 1}


def bounds(
    rows: list[Row], at_most: list[Row], names: list[str], least: float = 1.0
) -> dict[str, tuple[float, float]]:
    """The least and the greatest value of each, every number being at least one (or nought)."""
    found = {}
    for name in names:
        ends = []
        for sign in (1.0, -1.0):
            solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
            solver.silent()
            place = {n: solver.addVariable(lb=least, ub=1e5) for n in names}
            for parts, value in rows:
                solver.addConstr(sum(f * place[n] for n, f in parts.items()) == value)
            for parts, value in at_most:
                solver.addConstr(sum(f * place[n] for n, f in parts.items()) <= value)
            solver.minimize(sign * place[name])
            ends.append(sign * solver.getObjectiveValue())
        found[name] = ends[0], ends[1]
    return found


def random_tables(seed: int) -> Tables:
    dice = random.Random(seed)
    rows, columns = dice.randint(2, 7), dice.randint(2, 5)
    cells: dict[str, int] = {}
    equations = []
    for r in range(rows):
        for c in range(columns):
            cells[f"r{r}c{c}"] = dice.choice([0, 0, 1, 2, 3, 4, 5, 9, 17, 60])
    for r in range(rows):
        parts = tuple(f"r{r}c{c}" for c in range(columns))
        cells[f"r{r}"] = sum(cells[p] for p in parts)
        equations.append(Equation(f"r{r}", parts))
    for c in range(columns):
        parts = tuple(f"r{r}c{c}" for r in range(rows))
        cells[f"c{c}"] = sum(cells[p] for p in parts)
        equations.append(Equation(f"c{c}", parts))
    cells["all"] = sum(cells[f"r{r}"] for r in range(rows))
    equations.append(Equation("all", tuple(f"r{r}" for r in range(rows))))
    equations.append(Equation("all", tuple(f"c{c}" for c in range(columns))))
    return Tables(cells, equations)


def as_rows(tables: Tables, hidden: set[str]) -> list[Row]:
    found = []
    for one in tables.equations:
        parts: dict[str, int] = {}
        value = 0
        for name, sign in ((one.whole, -1), *((p, 1) for p in one.parts)):
            if name in hidden:
                parts[name] = parts.get(name, 0) + sign
            else:
                value -= sign * tables.cells[name]
        if parts:
            found.append((parts, value))
    return found


@pytest.mark.parametrize("seed", range(40))
def test_no_small_number_of_a_table_can_be_worked_out(seed: int) -> None:
    tables = random_tables(seed)
    try:
        hidden = suppress(tables)
    except TooSmall:
        assert sum(tables.cells[n] for n in tables.cells if "r" in n and "c" in n) < 200
        return
    small = [n for n, number in tables.cells.items() if is_small(number)]
    assert set(small) <= hidden
    least = 1.0 if all(tables.cells[n] for n in hidden) else 0.0
    rows = as_rows(tables, hidden)
    assert not set(eliminated(rows)) & set(small)
    for name, (low, high) in bounds(rows, [], sorted(hidden), least).items():
        if name in small:
            assert high - low >= SMALLEST, (name, low, high)
            assert high >= SMALLEST


def test_without_the_second_step_it_would_be_found() -> None:
    """The attack itself works: hiding only what is small gives it away."""
    found = 0
    for seed in range(40):
        tables = random_tables(seed)
        small = {n for n, number in tables.cells.items() if is_small(number)}
        told = eliminated(as_rows(tables, small))
        assert all(tables.cells[n] == told[n] for n in told)
        found += bool(told)
    assert found > 10


def test_tables_that_do_not_add_up_are_not_published() -> None:
    with pytest.raises(ValueError, match="not the sum"):
        suppress(Tables({"all": 3, "a": 1, "b": 1}, [Equation("all", ("a", "b"))]))
    with pytest.raises(ValueError, match="not the sum"):
        suppress(Tables({"all": 3, "a": 4, "b": 1}, [Equation("all", ("a", "b"), True)]))


def test_margins_have_one_name_in_all_tables() -> None:
    def table(code: str, columns: list[str], numbers: list[list[int]]) -> CountedTable:
        rows = [CountedRow(f"x{n}", f"x{n}", [*line, sum(line)]) for n, line in enumerate(numbers)]
        total = [sum(column) for column in zip(*numbers, strict=True)]
        return CountedTable(code, code, "children", [*columns, "Total"], rows, [*total, sum(total)])

    tables = as_tables(
        [table("regions", ["girl", "boy"], [[3, 50], [40, 2]]),
         table("ages", ["girl", "boy"], [[20, 30], [23, 22]])]
    )  # fmt: skip
    assert tables.cells["children|sex=girl"] == 43
    assert len([e for e in tables.equations if e.whole == "children|sex=girl"]) == 2


# -- the real thing ----------------------------------------------------------------------------


def published_rows(tables: list[dict[str, Any]]) -> tuple[list[Row], list[Row], list[str]]:
    """What everybody can read out of the file, in an attacker's own words."""
    margins = {"calls": ("outcome", ""), "lines": ("line", ""), "who": ("kind", "channel"),
               "regions": ("region", "sex"), "ages": ("age", "sex"),
               "region_ages": ("region", "age"), "groups": ("group", "sex")}  # fmt: skip
    known: dict[str, int | None] = {}
    equal: list[tuple[str, list[str]]] = []
    cover: list[tuple[str, list[str]]] = []
    for table in tables:
        unit, (down, across) = table["unit"], margins[table["code"]]
        columns = table["columns"][:-1] if across else []
        known[f"{unit}/all"] = table["total"][-1]
        for row in table["rows"]:
            side = f"{unit}/{down}:{row['label']}"
            known[side] = row["numbers"][-1]
            inner = [f"{side}/{across}:{c}" for c in columns]
            known |= dict(zip(inner, row["numbers"], strict=False))
            if columns:
                equal.append((side, inner))
        target = cover if table["overlapping"] else equal
        sides = [f"{unit}/{down}:{row['label']}" for row in table["rows"]]
        target.append((f"{unit}/all", sides))
        for n, column in enumerate(columns):
            top = f"{unit}/{across}:{column}"
            known[top] = table["total"][n]
            target.append((top, [f"{s}/{across}:{column}" for s in sides]))
        if columns:
            equal.append((f"{unit}/all", [f"{unit}/{across}:{c}" for c in columns]))
    hidden = sorted(n for n, number in known.items() if number is None)

    def row_of(parts: list[tuple[str, int]]) -> Row:
        unknown: dict[str, int] = {}
        value = 0
        for name, sign in parts:
            number = known[name]
            if number is None:
                unknown[name] = unknown.get(name, 0) + sign
            else:
                value -= sign * number
        return unknown, value

    rows = [row_of([(whole, -1), *((p, 1) for p in parts)]) for whole, parts in equal]
    at_most = [row_of([(p, 1), (whole, -1)]) for whole, parts in cover for p in parts]
    at_most += [row_of([(whole, 1), *((p, -1) for p in parts)]) for whole, parts in cover]
    # Whoever is in "not recorded" is in no other group.
    for whole, parts in cover:
        nothing = next((p for p in parts if "/group:not recorded" in p), None)
        if nothing is not None:
            at_most += [row_of([(p, 1), (nothing, 1), (whole, -1)]) for p in parts if p != nothing]
    return [r for r in rows if r[0]], [r for r in at_most if r[0]], hidden


def shown_not(tables: list[dict[str, Any]]) -> list[None]:
    numbers = [
        n for t in tables for r in [*t["rows"], {"numbers": t["total"]}] for n in r["numbers"]
    ]
    return [n for n in numbers if n is None]


async def test_what_is_published_gives_no_small_number_away(house: Stage) -> None:
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
    tables = found["tables"]
    shown = [n for t in tables for r in t["rows"] for n in r["numbers"] if n is not None]
    assert not any(is_small(n) for n in shown)
    rows, at_most, hidden = published_rows(tables)
    assert len(hidden) > 20
    assert sum(n is not None for n in shown) > len(hidden) / 2, "most of it says something"
    told = eliminated(rows)
    small = {name for name, number in told.items() if is_small(number)}
    assert not small, small
    # Whatever lies in a narrow range around small numbers would be as good as told.
    for name, (low, high) in bounds(rows, at_most, hidden).items():
        assert high - low >= SMALLEST or low >= SMALLEST, (name, low, high)
    page = await house.client.get(
        f"{house.settings.public_url}/reports/public/2026",
        headers={"Cookie": "; ".join(f"{k}={v}" for k, v in auditor._cookies.items())},
    )
    assert page.status_code == 200
    assert page.text.count(">hidden</span>") == len(shown_not(tables))


def test_the_name_of_a_public_period() -> None:
    assert read_public_period("2026-Q2", "quarter").words == "2026-04-01/2026-07-01"
    assert read_public_period("2026-02", "month").words == "2026-02-01/2026-03-01"
    for text, kind in (("2026-13", "month"), ("2026-Q5", "quarter"), ("26", "year"), ("", "year")):
        with pytest.raises(Invalid, match="like 2026"):
            read_public_period(text, kind)
