"""Hundreds of random days, counted by the statistics and by a naive count."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from typing import Any

import psycopg
from sqlalchemy import select

from app.contacts.models import Contact
from app.jobs.transaction import transaction
from app.statistics.counting.labels import OVERLAP, TOTAL
from app.statistics.counting.summary import FiguresWanted, Summary
from app.statistics.counting.targets import Target
from app.statistics.dimensions import Dimension
from app.statistics.measures import NAMES
from app.statistics.periods import Period, Window
from app.work import PROGRAM
from tests.support.profile import WHOLE, by_day, nightly
from tests.support.random_life.days import DAYS, keep_all, plan_day
from tests.support.random_life.life import Life
from tests.support.random_life.records import say_another_place
from tests.support.recount import grouping, logs, measuring
from tests.support.recount.exactly import summarise_exactly

FIRST, LAST = date(2026, 3, 26), date(2026, 11, 3)


PAIRS = list(
    combinations(
        [
            "line",
            "language",
            "counsellor",
            "place",
            "category",
            "age_band",
            "sex",
            "outcome",
            "channel",
        ],
        2,
    )
)


async def summary_of(life: Life, asked: FiguresWanted) -> Summary:
    async with transaction(life.ground, PROGRAM) as work:
        work.now = life.now
        return await summarise_exactly(work, asked)


def expected(
    ones: list[logs.FromLog], period: str | None, by: tuple[str, ...]
) -> dict[tuple[str, tuple[str, ...]], dict[str, Any]]:
    cells: dict[Any, list[logs.FromLog]] = defaultdict(list)
    for one in ones:
        label = grouping.PERIODS[period](one) if period else ""
        values: list[tuple[str, ...]] = [()]
        for dimension in by:
            values = [(*v, w) for v in values for w in grouping.DIMENSIONS[dimension](one)]
        for v in values:
            cells[label, v].append(one)
    return {key: measuring.measured(found) for key, found in cells.items()}


def check(summary: Summary, ones: list[logs.FromLog]) -> int:
    """Every row and every measure; and that each table adds up."""
    period = summary.asked.period.value if summary.asked.period else None
    by = tuple(d.value for d in summary.asked.by)
    cells = expected(ones, period, by)
    totals = expected(ones, period, ())
    seen = set()
    counts = [n for n in NAMES if n in ("calls", "answered", "contacts", "offers", "missed_offers")]
    parts: dict[str, Counter[str]] = defaultdict(Counter)
    whole_period = {}
    for row in summary.rows:
        figures = summary.figures(row)
        if row.kind == TOTAL:
            assert row.period not in whole_period, "one total"
            whole_period[row.period] = figures
        else:
            assert row.kind in ("cell", OVERLAP), row.kind
            parts[row.period].update({name: int(figures[name] or 0) for name in counts})
        if row.kind == "cell":
            key = (row.period, row.values)
            assert figures == cells[key], key
            seen.add(key)
        elif row.kind == TOTAL:
            nothing = measuring.measured([])
            assert figures == totals.get((row.period, ()), nothing), row.period
    assert seen == (set(cells) if by else set()), set(cells) ^ seen
    assert set(parts) <= set(whole_period)
    for label, total in whole_period.items():
        for name in counts:
            assert not by or parts[label][name] == total[name], (label, name)
    whole = measuring.measured(ones)
    assert {n: whole[n] for n in counts} == {
        n: v for n, v in _figures_of_total(summary).items() if n in counts
    }
    return len(summary.rows)


def _figures_of_total(summary: Summary) -> dict[str, Any]:
    from app.statistics.counting.summary import figures

    return figures(NAMES, summary.total)


async def test_every_measure_in_every_period(life: Life, lived_through: str) -> None:
    ones = grouping.within(logs.told(lived_through), FIRST, LAST)
    assert len(ones) > 250
    whole = measuring.measured(ones)
    happened = (
        "answered",
        "short_abandons",
        "abandoned_in_queue",
        "voice_messages",
        "transfers",
        "returned",
        "lost",
        "missed_offers",
        "declined_offers",
        "non_counselling",
        "unreachable",
        "out_of_hours",
        "no_counsellor",
        "danger_calls",
        "turned_away",
        "abandoned_unstaffed",
        "put_off",
        "second_waits",
        "inherited",
        "outbound",
        "outbound_reached",
        "messages_left",
        "first_word_p90",
        "answered_later",
        "first_answer_median",
        "messages_of_child",
        "messages_of_helpline_median",
        "left_typing",
        "codes_given",
        "codes_used",
    )
    assert [name for name in happened if not whole[name]] == []
    window = Window(FIRST, LAST)
    # By day the shortest, of some weeks: those of other lengths are counted with a dimension below.
    assert check(await summary_of(life, FiguresWanted(window)), ones) >= 1
    some = window if WHOLE else Window(FIRST, date(2026, 5, 1))
    among = [one for one in ones if WHOLE or one.local.date() < some.ends]
    for period in Period if WHOLE else (Period.QUARTER_HOUR,):
        assert check(await summary_of(life, FiguresWanted(some, period)), among) >= 1
    days = [
        r
        for r in (await summary_of(life, FiguresWanted(window, Period.DAY))).rows
        if r.kind == TOTAL
    ]
    assert len(days) == (LAST - FIRST).days > 200


async def test_every_pair_of_dimensions_adds_up(life: Life, lived_through: str) -> None:
    ones = grouping.within(logs.told(lived_through), FIRST, LAST)
    window = Window(FIRST, LAST)
    periods = (
        ("week", ("sex", "counsellor")),
        ("weekday_hour", ("outcome",)),
        ("hour", ("line",)),
        ("month", ("category", "age_band")),
    )
    for period, by in by_day(periods, 2):
        dimensions = tuple(Dimension(name) for name in by)
        check(await summary_of(life, FiguresWanted(window, Period(period), dimensions)), ones)
    # From kept days, as in a program that has been running: they are not derived for each pair.
    await keep_all(life)
    pairs = PAIRS if WHOLE else [PAIRS[12]]
    for some in (*pairs, ("category_group", "living"), ("setting", "perpetrator"), ("role",)):
        dimensions = tuple(Dimension(name) for name in some)
        check(await summary_of(life, FiguresWanted(window, None, dimensions)), ones)


async def test_a_changed_target_does_not_relabel_the_past(life: Life, lived_through: str) -> None:
    ones = grouping.within(logs.told(lived_through), FIRST, LAST)
    changed = datetime(2026, 6, 15, 12, tzinfo=UTC)
    targets = (Target(0, 20), Target(int(changed.timestamp()), 5))
    summary = await summary_of(life, FiguresWanted(Window(FIRST, LAST), targets=targets))
    parts = [
        measuring.measured([one for one in ones if (one.at < changed) == before], target)
        for before, target in ((True, 20), (False, 5))
    ]
    quick = sum(round(p["service_level_2"] * p["answered"]) for p in parts)
    assert quick == summary.total.sums["answered_in_time"]
    assert (
        quick < measuring.measured(ones)["service_level_2"] * measuring.measured(ones)["answered"]
    )


async def test_figures_of_one_line_go_by_its_own_time_zone(life: Life, lived_through: str) -> None:
    told = logs.told(lived_through)
    for line in by_day(("+56211116111", "+61211116111")):
        ones = [o for o in grouping.within(told, FIRST, LAST) if o.line == line]
        assert len(ones) > 50
        for period in (Period.HOUR, Period.DAY, Period.WEEKDAY_HOUR):
            check(
                await summary_of(life, FiguresWanted(Window(FIRST, LAST), period, line=line)), ones
            )


@nightly
async def test_kept_days_say_the_same_and_forget_what_changes(
    life: Life, lived_through: str
) -> None:
    """By day kept days are counted by pairs, and each change forgets its day (test_kept)."""
    window = Window(FIRST, LAST)
    asked = FiguresWanted(window, Period.DAY, (Dimension.PLACE, Dimension.COUNSELLOR))
    await keep_all(life)
    with psycopg.connect(lived_through) as connection:
        row = connection.execute("SELECT count(*) FROM statistic_days").fetchone()
    kept = row[0] if row else 0
    assert kept >= DAYS - 1
    ones = grouping.within(logs.told(lived_through), FIRST, LAST)
    check(await summary_of(life, asked), ones)
    # Life goes on, and with it come late facts about days long over.
    life.work.opened = life.ground.database.sessions()
    day = life.now
    for n in range(6 if WHOLE else 2):
        await plan_day(life, day + timedelta(days=n), 3)
        await life.live(day + timedelta(days=n + 1))
    # What the dice change may be the same place again: here it is another one, for certain.
    ended = select(Contact).where(Contact.state == "complete", Contact.place == "RS-08")
    old = (await life.work.session.scalars(ended.where(Contact.taken_at < LAST).limit(1))).one()
    await say_another_place(life, old.id, "RS-BG")
    await life.commit()
    await life.work.session.close()
    again = grouping.within(logs.told(lived_through), FIRST, LAST)
    assert naive_places(again) != naive_places(ones), "something was restated"
    check(await summary_of(life, asked), again)
    with psycopg.connect(lived_through) as connection:
        (left,) = connection.execute("SELECT count(*) FROM statistic_days").fetchone() or (0,)
    assert left < kept


def naive_places(ones: list[logs.FromLog]) -> dict[Any, set[str]]:
    return {one.id: grouping.DIMENSIONS["place"](one) for one in ones}
