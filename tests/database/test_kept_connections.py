"""What the tests keep from one stage to the next: what is left on a connection is noticed, and the
server keeps places for what is new."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from weakref import WeakSet

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from app.database.engine import open_database
from app.database.own_server import as_role
from app.database.roles import SUPERUSER
from app.demo.stage import Stage
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.statistics import jobs
from app.work import PROGRAM
from tests.support.kept import connections
from tests.support.kept.connections import crowded, left_behind
from tests.support.waiting import until


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
    with psycopg.connect(as_role(database, SUPERUSER)) as boss:
        # The program itself makes none: its rights do not allow it.
        name = sql.Identifier(boss.info.dbname)
        boss.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO PUBLIC").format(name))
    one = open_database(database)
    async with one.sessions() as session, session.begin():
        await session.execute(text(statement))
    await one.close()
    assert left_behind() == left
    # The next user of the connection finds nothing of it.
    again = open_database(database)
    async with again.sessions() as session:
        assert await session.scalar(text("SHOW statement_timeout")) == "1min"
        locks = (
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE locktype = 'advisory' AND datname = current_database()"
        )
        assert await session.scalar(text(locks)) == 0
    await again.close()


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> int:
    """A handful of connections that may be open; what came before does not count."""
    monkeypatch.setattr(connections, "crowded_tests", [])
    monkeypatch.setattr(connections, "in_use", WeakSet())
    monkeypatch.setattr(connections, "MOST", 5)
    return 5


async def _opened(url: str, name: str) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(url, autocommit=True, application_name=name)


async def test_what_has_waited_longest_gives_way_to_what_is_new(
    database: str, anyio_backend: str, places: int
) -> None:
    for n in range(places + 3):
        await (await _opened(database, f"kept {n}")).close()

    async def open_now() -> list[str]:
        one = await _opened(database, f"kept {places + 2}")
        asked = "SELECT application_name FROM pg_stat_activity WHERE application_name ~ '^kept'"
        found = [name for (name,) in await (await one.execute(asked)).fetchall()]
        await one.close()
        return sorted(found)

    async def are_the_last() -> bool:
        return await open_now() == [f"kept {n}" for n in range(3, places + 3)]

    await until(are_the_last, "the first three are closed", every=0.01)
    assert crowded() == []


async def test_too_many_connections_in_use_are_told_with_their_databases(
    database: str, anyio_backend: str, places: int
) -> None:
    async with AsyncExitStack() as exits:
        for n in range(places):
            await exits.enter_async_context(await _opened(database, f"used {n}"))
        assert crowded() == []
        await exits.enter_async_context(await _opened(database, "one more"))
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    (told,) = crowded()
    assert told.startswith(f"{places + 1} connections in tests/database/test_kept_connections.py::")
    assert told.endswith(f"{{'{name}': {places}}}")


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
