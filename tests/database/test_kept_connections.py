"""What the tests keep from one stage to the next: what is left on a connection is noticed."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from app.database.engine import open_database
from app.demo.stage import Stage
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.statistics import jobs
from app.work import PROGRAM
from tests.support.kept.connections import left_behind


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        ("SELECT 1", []),
        ("SELECT pg_advisory_xact_lock(7)", []),
        ("SELECT pg_advisory_lock(7)", ["a lock"]),
        ("SET statement_timeout = '7s'", ["the setting statement_timeout"]),
        ("SET LOCAL statement_timeout = '7s'", []),
        ("CREATE TEMP TABLE t (n int)", ["a temporary table"]),
    ],
)
async def test_what_is_left_on_a_connection_of_a_pool_is_noticed(
    database: str, anyio_backend: str, statement: str, left: list[str]
) -> None:
    one = open_database(database)
    async with one.sessions() as session, session.begin():
        await session.execute(text(statement))
    await one.close()
    assert left_behind() == left
    # The next user of the connection finds nothing of it.
    again = open_database(database)
    async with again.sessions() as session:
        assert await session.scalar(text("SHOW statement_timeout")) == "1min"
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        assert await session.scalar(text(locks)) == 0
    await again.close()


async def test_jobs_of_a_queue_run_no_more_at_once_than_in_production(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, seen = 0, []

    async def noted(*_: Any) -> int:
        nonlocal under_way
        under_way += 1
        seen.append(under_way)
        await asyncio.sleep(0.02)
        under_way -= 1
        return 0

    monkeypatch.setattr(jobs, "keep_days", noted)
    async with transaction(stage.ground, PROGRAM) as work:
        for _ in range(4):
            work.defer(Task.KEEP_DAYS)
    await stage.settle()
    assert seen == [1, 1, 1, 1]
