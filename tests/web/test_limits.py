"""Limits on guesses: shared by all processes, and kept while the database is away."""

import asyncio
import json
from datetime import timedelta

import pytest
from limits import RateLimitItemPerMinute

from app.demo.stage import Stage
from app.log import set_up_logging
from app.web.limits import Limiter, PostgresStorage
from app.work import make_ground
from app.worker import FORGETS_EVERY
from tests.support.commands import elsewhere
from tests.support.limits import use_up

_TEN = RateLimitItemPerMinute(10)


async def test_two_processes_share_a_limit(stage: Stage) -> None:
    given = stage.settings.model_dump_json()
    used = await asyncio.gather(*(asyncio.to_thread(elsewhere, use_up, given) for _ in range(2)))
    assert sum(used) == 30
    assert min(used) >= 5


async def test_the_window_moves_and_what_is_over_is_swept(stage: Stage) -> None:
    limiter = Limiter(stage.ground)
    for _ in range(2):
        assert [await limiter.hit(_TEN, "ana") for _ in range(5)] == [True] * 5
        stage.stepped.move_to(stage.clock.now() + timedelta(seconds=25))
    # The first five are 50 seconds old.
    assert not await limiter.hit(_TEN, "ana")
    assert await limiter.hit(_TEN, "vera"), "another name has a count of its own"
    stage.stepped.move_to(stage.clock.now() + timedelta(seconds=11))
    assert [await limiter.hit(_TEN, "ana") for _ in range(6)] == [True] * 5 + [False]
    storage = PostgresStorage(stage.ground)
    began, count = await storage.get_moving_window(_TEN.key_for("ana"), 10, 60)
    assert (count, stage.clock.now().timestamp() - began) == (10, 36)
    assert await storage.get_expiry(_TEN.key_for("ana")) == stage.clock.now().timestamp() + 60

    held = await stage.rows("SELECT key_hash, cardinality(hits) AS n FROM rate_limits")
    assert sorted(row["n"] for row in held) == [1, 10]
    assert not any(b"ana" in bytes(row["key_hash"]) for row in held)
    await storage.clear(_TEN.key_for("ana"))
    assert await limiter.hit(_TEN, "ana")
    # The worker deletes what is over.
    stage.stepped.move_to(stage.clock.now() + timedelta(seconds=FORGETS_EVERY))
    await stage.advance(5)
    assert await stage.rows("SELECT 1 FROM rate_limits") == []


async def test_more_at_once_than_the_limit_is_refused(stage: Stage) -> None:
    storage = PostgresStorage(stage.ground)
    assert not await storage.acquire_entry("ana", 3, 60, amount=4)
    assert await storage.acquire_entry("ana", 3, 60, amount=2)
    assert not await storage.acquire_entry("ana", 3, 60, amount=2)
    assert await storage.acquire_entry("ana", 3, 60)


async def test_without_a_database_each_process_counts_and_says_so(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    set_up_logging("ERROR")
    address = "postgresql://nobody@127.0.0.1:1/nothing"
    lost = make_ground(stage.settings.model_copy(update={"database_url": address}))
    limiter = Limiter(lost)
    # No person is locked out, and no guess goes uncounted.
    assert [await limiter.hit(_TEN, "ana") for _ in range(12)] == [True] * 10 + [False] * 2
    assert not await PostgresStorage(lost).check()
    lines = [line for line in capfd.readouterr().err.splitlines() if "limits are counted" in line]
    assert len(lines) == 1, "one line for the outage"
    await lost.database.close()


async def test_a_database_that_comes_back_counts_again(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    set_up_logging("WARNING")
    limiter = Limiter(stage.ground)
    await stage.watch.execute("ALTER TABLE rate_limits RENAME TO away")
    assert await limiter.hit(_TEN, "ana")
    await stage.watch.execute("ALTER TABLE away RENAME TO rate_limits")
    assert await limiter.hit(_TEN, "ana")
    assert [
        row["n"] for row in await stage.rows("SELECT cardinality(hits) AS n FROM rate_limits")
    ] == [1]
    said = [json.loads(line)["event"] for line in capfd.readouterr().err.splitlines()]
    assert said == [
        "limits are counted in each process",
        "limits are counted over all processes again",
    ]
    set_up_logging("ERROR")
