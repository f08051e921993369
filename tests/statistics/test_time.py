"""Counsellors' time, fairness and coverage against a count second by second; planning."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.rows import dict_row

from app.calls.hours import is_holiday
from app.demo.stage import MONDAY, Stage, stage_on
from app.demo.stepped_clock import SteppedClock
from app.demo.writing import a_child
from app.demo.writing_hour import take_and_answer
from app.jobs.transaction import transaction
from app.routing.models import PresenceState
from app.routing.own_presence import choose_presence
from app.routing.rota.roster import add_shift
from app.staff.accounts import add_staff
from app.staff.roles import Role
from app.statistics.counting.counsellors import room
from app.statistics.exports.at_once_table import at_once_table
from app.statistics.facts.days import days_to_keep, keep_days
from app.statistics.periods import Period, Window
from app.statistics.planning.erlang import AtOnce, needed
from app.statistics.planning.planning import Writing, as_json, plan
from app.work import PROGRAM
from tests.support.profile import WHOLE, by_day
from tests.support.program.quiet import QuietStage
from tests.support.random_life.life import Life
from tests.support.recount import logs

BELGRADE = ZoneInfo("Europe/Belgrade")


def seconds_of(url: str, window: Window) -> tuple[dict[str, dict[str, int]], set[int]]:
    """The seconds of each counsellor, one by one, and those in which any counsellor is there."""
    since, until = (int(e.timestamp()) for e in window.instants(BELGRADE))
    spent: dict[str, dict[str, int]] = {}
    served: set[int] = set()
    with psycopg.connect(url, row_factory=dict_row) as connection:
        rows = connection.execute("SELECT * FROM presence_changes ORDER BY id").fetchall()
        practice = connection.execute(
            "SELECT o.* FROM offers o JOIN calls c ON c.id = o.call_id"
            " JOIN lines l ON l.id = c.line_id WHERE l.practice"
        ).fetchall()
    by_staff: dict[str, list[Any]] = {}
    for row in rows:
        by_staff.setdefault(str(row["counsellor_id"]), []).append(row)
    trained: dict[str, set[int]] = {}
    for offer in practice:
        staff = str(offer["counsellor_id"])
        ended = offer["released_at"]
        after = [c["at"] for c in by_staff[staff] if c["at"] > ended and c["before"] == "wrap_up"]
        # A talk has a wrap-up that begins with its end.
        wraps = any(c["at"] == ended and c["after"] == "wrap_up" for c in by_staff[staff])
        to = after[0] if after and wraps and offer["connected_at"] else ended
        trained.setdefault(staff, set()).update(
            range(logs.second(offer["opened_at"]), logs.second(to))
        )
    for staff, changes in by_staff.items():
        mine = spent.setdefault(staff, {})
        ends = [*(logs.second(c["at"]) for c in changes[1:]), until]
        for change, end in zip(changes, ends, strict=True):
            state = change["after"]
            for second in range(max(logs.second(change["at"]), since), min(end, until)):
                if second in trained.get(staff, set()):
                    continue
                mine[state] = mine.get(state, 0) + 1
                if state in ("available", "offered", "on_call", "writing", "wrap_up"):
                    served.add(second)
    return spent, served


async def test_time_fairness_and_coverage_second_by_second(life: Life, lived_through: str) -> None:
    # A week with the night on which the clocks go back.
    window = Window(date(2026, 10, 22), date(2026, 10, 29))
    spent, served = seconds_of(lived_through, window)
    since, until = window.instants(BELGRADE)
    assert until - since == timedelta(days=7, hours=1)
    # By day kept days here, and in the next test those that are not.
    for kept in (False, True) if WHOLE else (True,):
        if kept:
            days = await days_to_keep(life.ground, life.now, 400)
            await keep_days(life.ground, days, life.now)
        async with transaction(life.ground, PROGRAM) as work:
            work.now = life.now
            found = await room(work, window)
        rates = []
        for one in found.counsellors:
            mine = spent.get(one.id, {})
            for state, seconds in one.seconds.items():
                assert seconds == mine.get(state, 0), (one.name, state)
            handling = sum(mine.get(state, 0) for state in ("on_call", "writing", "wrap_up"))
            idle = mine.get("available", 0) + mine.get("offered", 0)
            if handling + idle:
                expected = round(handling / (handling + idle), 6)
                assert one.figures()["occupancy"] == expected
            if mine.get("available", 0) >= 3600:
                rates.append(one.offers * 3600 / mine["available"])
        assert len(rates) >= 4
        jain = sum(rates) ** 2 / (len(rates) * sum(r * r for r in rates))
        assert found.fairness == pytest.approx(jain, abs=1e-6)
        share = len(served) / (until - since).total_seconds()
        assert found.coverage["+38111116111"] == pytest.approx(share)
        assert found.coverage["+56211116111"] < share, "one of them takes the first line only"
    with psycopg.connect(lived_through) as connection:
        offers = connection.execute(
            "SELECT count(*) FROM offers o JOIN calls c ON c.id = o.call_id"
            " LEFT JOIN lines l ON l.id = c.line_id"
            " WHERE o.opened_at >= %s AND o.opened_at < %s AND l.practice IS NOT TRUE"
            " AND c.direction = 'inbound' AND o.expires_at > o.opened_at",
            (since, until),
        ).fetchone()
    assert offers is not None
    assert found.all.offers == offers[0]


def conversations_of(url: str, window: Window) -> dict[str, Counter[int]]:
    """The seconds of each counsellor with each number of conversations, one by one."""
    since, until = (int(e.timestamp()) for e in window.instants(BELGRADE))
    with psycopg.connect(url, row_factory=dict_row) as connection:
        rows = connection.execute(
            "SELECT o.* FROM offers o JOIN calls c ON c.id = o.call_id JOIN lines l"
            " ON l.id = c.line_id WHERE NOT l.practice AND c.channel <> 'voice'"
        ).fetchall()
    held: dict[str, Counter[int]] = defaultdict(Counter)
    for row in rows:
        if row["connected_at"] is not None:
            begins, ends = logs.second(row["connected_at"]), logs.second(row["released_at"])
            held[str(row["counsellor_id"])].update(range(max(begins, since), min(ends, until)))
    return {who: Counter(seconds.values()) for who, seconds in held.items() if seconds}


async def test_conversations_at_once_second_by_second(life: Life, lived_through: str) -> None:
    window = Window(date(2026, 3, 26), date(2026, 5, 1))
    held = conversations_of(lived_through, window)
    whole = sum(held.values(), Counter[int]())
    assert whole[2], "a counsellor had two at once"
    for kept in by_day((False, True)):
        if kept:
            days = await days_to_keep(life.ground, life.now, 400)
            await keep_days(life.ground, days, life.now)
        async with transaction(life.ground, PROGRAM) as work:
            work.now = life.now
            found = await room(work, window)
            table, batch = await at_once_table(work, window, Period.WEEK)
        for one in found.counsellors:
            assert one.load.seconds == held.get(one.id, Counter()), one.name
        figures = found.all.figures()
        time, pairs = whole.total(), sum(n * seconds for n, seconds in whole.items())
        assert (figures["chat_time"], figures["chats_most"]) == (time, max(whole))
        assert figures["chats_at_once"] == round(pairs / time, 6)
        assert figures["chats_2"] == round(whole[2] / time, 6)
        rows = batch.to_pylist()
        assert [c.name for c in table.columns] == list(rows[0])
        assert {row["row"] for row in rows} == {"cell", "total"}
        assert sum(row["chat_time"] for row in rows[:-1]) == rows[-1]["chat_time"] == time
        assert max(row["chats_most"] for row in rows[:-1]) == max(whole)


async def test_the_plan_of_the_coming_week_has_each_half_hour(
    life: Life, lived_through: str
) -> None:
    async with (
        stage_on(lived_through, clock=SteppedClock(life.now), with_server=False) as stage,
        transaction(stage.ground, PROGRAM) as work,
    ):
        found = await plan(work)
        more = await plan(work, more=2)
    today = life.now.astimezone(BELGRADE).date()
    assert len(found.slots) == 7 * 48
    assert found.slots[0].begins == datetime.combine(
        today, datetime.min.time(), BELGRADE
    ).astimezone(UTC)
    told = logs.told(lived_through)
    entered = [o for o in told if o.is_call and o.queued is not None and not o.written]
    history = [today - timedelta(days=n) for n in range(1, 57)]
    weeks = [d for d in history if not is_holiday(d, BELGRADE, "RS")]
    for slot in found.slots[::7]:
        local = slot.begins.astimezone(BELGRADE)
        if slot.holiday:
            continue
        same = [d for d in weeks if d.weekday() == local.weekday()]
        count = sum(
            (at := o.at.astimezone(BELGRADE)).date() in same
            and (at.hour, at.minute // 30) == (local.hour, local.minute // 30)
            for o in entered
        )
        assert slot.calls == pytest.approx(count / len(same))
        best = needed(slot.calls, 1800, slot.aht, 20, 0.8, 180).staff
        assert slot.needed == max(best, 1)
        assert slot.missing == slot.to_roster - slot.rostered
    # The rota of these days is empty: two more are two.
    assert {s.rostered for s in found.slots} == {0}
    assert {s.rostered for s in more.slots} == {2}
    busy = max(range(336), key=lambda n: found.slots[n].calls)
    assert found.slots[busy].expected.service_level < more.slots[busy].expected.service_level


def test_holidays_of_the_country() -> None:
    assert is_holiday(date(2027, 1, 7), BELGRADE, "RS")
    assert not is_holiday(date(2027, 1, 12), BELGRADE, "RS")
    assert not is_holiday(date(2027, 1, 7), BELGRADE, None)


async def test_the_rota_stands_beside_the_need(quiet: QuietStage) -> None:
    await quiet.add_counsellor(
        "night",
        recurrence="FREQ=DAILY",
        starts_at=datetime(2030, 1, 1, 22).time(),
        minutes=480,
        timezone="Europe/Belgrade",
        state=None,
    )
    await quiet.add_counsellor(
        "day",
        recurrence="FREQ=WEEKLY;BYDAY=MO",
        minutes=720,
        timezone="Europe/Belgrade",
        state=None,
        starts_at=datetime(2030, 1, 1, 8).time(),
    )
    async with transaction(quiet.ground, PROGRAM) as work:
        found = await plan(work)
    rostered = {s.local[:16]: s.rostered for s in found.slots}
    assert rostered["2030-01-14T09:00"] == 1
    assert rostered["2030-01-15T09:00"] == 0
    assert rostered["2030-01-15T23:30"] == 1
    assert found.slots[0].begins == MONDAY.replace(hour=23) - timedelta(days=1)


async def handled(stage: Stage) -> tuple[float, float]:
    """The seconds of all conversations, and of the wrap-ups after them."""
    (row,) = await stage.rows(
        "SELECT (SELECT sum(extract(epoch FROM released_at - connected_at)) FROM offers) AS talked,"
        " (SELECT sum(extract(epoch FROM n.at - p.at)) FROM presence_changes p"
        "  JOIN LATERAL (SELECT at FROM presence_changes WHERE counsellor_id = p.counsellor_id"
        "   AND id > p.id ORDER BY id LIMIT 1) n ON true WHERE p.after = 'wrap_up') AS wrapped"
    )
    return float(row["talked"]), float(row["wrapped"])


async def test_calls_and_conversations_are_planned_apart_and_added_up(stage: Stage) -> None:
    await stage.let_write(at_once=4, reserve=2, reserve_seconds=0)
    ana = await stage.add_counsellor("ana", chats=3)
    children = [a_child(stage), a_child(stage)]
    for child in children:
        await child.open()
        await child.say("Zdravo")
        await stage.settle()
        await take_and_answer(ana)
    await stage.advance(60)
    for child in children:
        await child.end()
        await stage.advance(1)
    # Her wrap-up, too, is over.
    await stage.advance(60)
    async with transaction(stage.ground, PROGRAM) as work:
        work.now += timedelta(days=7)
        found = await plan(work)
        shown = as_json(found)
    assert found.writing == Writing(3, 2), "hers, of the four that the line allows"
    (busy,) = [slot for slot in found.slots if slot.chats]
    assert busy.local.startswith("2030-01-21T10:00")
    assert (busy.calls, busy.chats) == (0.0, 2.0)
    # Two at once, of which each was slowed down by the other: by itself it would have been shorter.
    talked, wrapped = await handled(stage)
    by_itself = AtOnce(2, 0.3).ended(2) / 2
    assert busy.chat_aht == pytest.approx((talked * by_itself + wrapped) / 2, rel=0.05)
    assert shown["measured_chats_at_once"] == pytest.approx(2, abs=0.1)
    assert any("2.0 at once on average" in str(words) for words in found.words)
    best = needed(2, 1800, busy.chat_aht, 20, 0.8, 180, AtOnce(3, 0.3)).staff
    assert (busy.needed_to_write, busy.needed_for_calls) == (best, 2), "so many are kept for calls"
    assert busy.needed == best + 2
    assert busy.to_roster >= busy.needed > busy.writers_to_roster >= best
    quiet = next(slot for slot in found.slots if not slot.chats)
    assert (quiet.needed_to_write, quiet.needed) == (0, 1)
    row = next(one for one in shown["half_hours"] if one["chats"])
    assert (shown["chats_at_once"], row["needed_to_write"]) == (3, best)
    assert any("up to 3 at once" in str(words) for words in found.words)
    stage.stepped.move_to(MONDAY + timedelta(days=7))
    boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR, shift=False, state=None)
    seen = {}
    for path in ("/reports/planning", "/roster?week=2030-01-21"):
        address = f"{stage.settings.public_url}{path}"
        answer = await stage.client.get(address, headers={"Cookie": boss.cookie_header})
        assert answer.status_code == 200
        seen[path] = " ".join(answer.text.split())
    assert f"{best} write: 2.0 conversations expected" in seen["/reports/planning"]
    assert "Needed to write" in seen["/reports/planning"]
    assert "of them to write" in seen["/roster?week=2030-01-21"]


async def test_a_practice_line_counts_nowhere(stage: Stage) -> None:
    boss = await stage.add_counsellor("boss", shift=False, state=None)
    stage.ring()
    await stage.advance(3)
    await stage.watch.execute("UPDATE staff SET role = 'administrator' WHERE name = 'boss'")
    stage.ground.memory.forget("everything")
    path = "/statistics/summary.json?from=2030-01-14&to=2030-01-15"
    assert (await boss.ask("GET", path)).json()["rows"][0]["calls"] == 1
    await stage.watch.execute("UPDATE lines SET practice = true")
    assert (await boss.ask("GET", path)).json()["rows"][0]["calls"] == 0
    calls = (await boss.ask("GET", "/statistics/calls.json?from=2030-01-14&to=2030-01-15")).json()
    assert calls["rows"] == []


async def test_adherence_compares_the_rota_with_who_was_there(database: str) -> None:
    """On the rota from nine to ten; there from quarter past to ten, and helping is not missing."""
    async with stage_on(database, clock=SteppedClock(MONDAY), with_server=False) as stage:
        async with transaction(stage.ground, PROGRAM) as work:
            ana = await add_staff(work, name="ana", role=Role.COUNSELLOR)
            await add_shift(work, ana, recurrence="FREQ=DAILY", starts_at=time(9, 0), minutes=60)
        for minutes, state in (
            (15, PresenceState.AVAILABLE),
            (25, PresenceState.BREAK),
            (60, PresenceState.OFF_DUTY),
        ):
            stage.stepped.move_to(MONDAY + timedelta(minutes=minutes))
            async with transaction(stage.ground, PROGRAM) as work:
                await choose_presence(work, ana, state)
        stage.stepped.move_to(MONDAY + timedelta(minutes=90))
        async with transaction(stage.ground, PROGRAM) as work:
            found = await room(work, Window(date(2030, 1, 14), date(2030, 1, 15)))
    (one,) = [c for c in found.counsellors if c.name == "ana"]
    figures = one.figures()
    assert figures["rostered"] == 3600
    assert figures["adherence"] == pytest.approx(0.75, abs=0.01)
    assert figures["contacts_per_hour"] == 0
