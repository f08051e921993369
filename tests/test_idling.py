"""The stepped clock of a stage leaves out the seconds in which nothing is due, and no other."""

import asyncio
from contextlib import suppress
from datetime import datetime, time, timedelta
from typing import Any

import psycopg
import pytest

from app import worker
from app.demo.stage import MONDAY, Stage
from app.demo.stepped_clock import SteppedClock
from app.routing.sweep import Verb, sweep
from app.work import Ground, Work
from tests.support.kept.changes import changes
from tests.support.profile import nightly


@pytest.fixture
def swept(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """When the sweep has run."""
    times: list[datetime] = []

    async def noted(ground: Ground, end_away: Verb) -> int:
        times.append(ground.clock.now())
        return await sweep(ground, end_away)

    monkeypatch.setattr(worker, "sweep", noted)
    return times


async def test_most_seconds_of_an_idle_time_are_left_out(
    stage: Stage, swept: list[datetime]
) -> None:
    begun = stage.clock.now()
    await stage.add_counsellor("ana", state=None)
    swept.clear()
    await stage.advance(300)
    assert stage.clock.now() == begun + timedelta(seconds=300)
    assert stage.app.state.worker.second == 300
    assert 1 <= len(swept) < 60


async def test_what_is_due_in_between_happens_at_its_second(
    stage: Stage, swept: list[datetime]
) -> None:
    await stage.add_counsellor("ana")
    begun = stage.clock.now()
    await stage.rows(
        "UPDATE presences SET state = 'wrap_up', until_at = %s RETURNING 1",
        begun + timedelta(seconds=47.3),
    )
    await stage.advance(50)
    (found,) = await stage.rows("SELECT state, since FROM presences")
    assert found == {"state": "available", "since": begun + timedelta(seconds=48)}
    assert begun + timedelta(seconds=48) in swept


@nightly
async def test_a_shift_that_begins_in_between_is_watched_from_then(stage: Stage) -> None:
    """By day another thing that is due in between happens at its second."""
    begun = stage.clock.now()
    await stage.add_counsellor(
        "ana", state=None, recurrence="FREQ=DAILY", starts_at=time(9, 2), minutes=60
    )
    await stage.advance(300)
    # Two minutes are left to sign in.
    alarms = await stage.rows("SELECT DISTINCT begun_at FROM alarms")
    assert alarms == [{"begun_at": begun + timedelta(minutes=4)}]


async def test_a_task_is_put_off_and_the_others_wake_up_before() -> None:
    clock = SteppedClock(MONDAY)
    woken: list[str] = []

    async def sleeps(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    for name, seconds in (("often", 1), ("seldom", 5)):
        asyncio.create_task(sleeps(name, seconds), name=name)
    await asyncio.sleep(0)
    assert clock.alone_until("often") == MONDAY + timedelta(seconds=1)
    assert clock.alone_until("seldom") is None
    assert clock.next_due_besides("often") == MONDAY + timedelta(seconds=5)
    clock.put_off("often", MONDAY + timedelta(seconds=6))
    for until, expected in ((5, ["seldom"]), (6, ["seldom", "often"])):
        clock.move_to(MONDAY + timedelta(seconds=until))
        await asyncio.sleep(0)
        assert woken == expected


async def test_a_row_that_changes_while_the_clock_stands_still_is_looked_at_again(
    stage: Stage, swept: list[datetime]
) -> None:
    """What was found out about the seconds ahead counts only until a row changes."""
    await stage.add_counsellor("ana")
    await stage.advance(10)
    begun = stage.clock.now()
    await stage.rows(
        "UPDATE presences SET state = 'wrap_up', until_at = %s RETURNING 1",
        begun + timedelta(seconds=20),
    )
    await stage.advance(25)
    (found,) = await stage.rows("SELECT state, since FROM presences")
    assert found["state"] == "available"
    assert timedelta(0) <= found["since"] - begun - timedelta(seconds=20) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("sql", "is_change"),
    [
        ("SELECT count(*) FROM procrastinate_jobs", False),
        ("", False),
        ("SELECT procrastinate_finish_job_v1(0, 'failed', false)", True),
        ("UPDATE lines SET name = name", True),
        ("WITH named AS (UPDATE lines SET name = name RETURNING 1) SELECT * FROM named", True),
    ],
)
async def test_what_may_change_a_row_is_counted(work: Work, sql: str, is_change: bool) -> None:
    connection = await work.session.connection()
    raw: Any = (await connection.get_raw_connection()).driver_connection
    before = changes()
    with suppress(psycopg.Error):
        await raw.execute(sql)
    assert (changes() > before) is is_change


async def test_a_commit_is_counted_after_a_change_alone(database: str) -> None:
    async with await psycopg.AsyncConnection.connect(database) as connection:
        await connection.execute("SELECT 1")
        before = changes()
        await connection.commit()
        assert changes() == before
        await connection.execute("UPDATE lines SET name = name")
        sent = changes()
        await connection.commit()
        assert changes() > sent > before
