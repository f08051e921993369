"""No statement waits for a lock, or runs, without an end; what it ended is tried again."""

import asyncio
from contextlib import AsyncExitStack

import psycopg
import pytest
from procrastinate import App, Blueprint, RetryStrategy
from sqlalchemy import text

from app.database.engine import LONG_SECONDS, open_database, ran_too_long, waited_too_long
from app.demo.stage import Stage
from app.jobs import store
from app.jobs.passing import PASSING
from app.jobs.transaction import transaction
from app.statistics.facts.days import reading
from app.work import PROGRAM, Ground

_LIMITS = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"


async def test_every_connection_has_limits_and_what_takes_long_a_longer_one(stage: Stage) -> None:
    ground = stage.ground
    for pool in (ground.database.engine, ground.database.aside, ground.database.counting):
        async with pool.connect() as connection:
            assert tuple((await connection.execute(text(_LIMITS))).one()) == ("10s", "1min")
    (shown,) = await ground.database.quick.ask("SHOW statement_timeout", {})
    assert shown == {"statement_timeout": "1min"}
    async with reading(ground, stage.clock.now()) as read:
        row = await (await read.connection.execute(_LIMITS)).fetchone()
        assert row == ("10s", "1h")
    shows = text("SHOW statement_timeout")
    async with transaction(ground, PROGRAM, long=True) as work:
        assert await work.session.scalar(shows) == "1h"
        process = text("SELECT pg_backend_pid()")
        used = await work.session.scalar(process)
    # Its connection has the usual limit again; others may lie above it in the pool.
    async with AsyncExitStack() as held:
        processes = set[int]()
        while used not in processes:
            work = await held.enter_async_context(transaction(ground, PROGRAM))
            assert await work.session.scalar(shows) == "1min"
            processes.add(await work.session.scalar(process))
    assert LONG_SECONDS == 3600


async def _change_slowly(ground: Ground) -> None:
    async with transaction(ground, PROGRAM) as work:
        await work.session.execute(text("UPDATE staff SET name = 'changed'"))
        await work.session.execute(text("SELECT pg_sleep(30)"))


async def test_a_statement_that_takes_too_long_is_refused_in_words_and_changes_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground, ana = stage.ground, await stage.add_counsellor("ana")
    kept = ground.database
    brief = open_database(kept.url, lock_seconds=30, statement_seconds=0.3)
    object.__setattr__(ground, "database", brief)
    try:
        async with kept.sessions() as holder, holder.begin():
            await holder.execute(text("SELECT FROM presences FOR UPDATE"))
            refused = await ana.ask("PUT", "/me/presence", {"state": "break"})
        assert (refused.status_code, refused.json()["error"]) == (503, "Unavailable")
        assert refused.json()["detail"] == "It took too long. Nothing was changed. Try again."
        assert await ana.presence() == "available"
        with pytest.raises(Exception, match="statement timeout") as slow:
            await _change_slowly(ground)
        assert ran_too_long(slow.value)
        assert await stage.rows("SELECT FROM staff WHERE name = 'changed'") == []
        assert (await ana.ask("PUT", "/me/presence", {"state": "break"})).status_code == 200
    finally:
        object.__setattr__(ground, "database", kept)
        await brief.close()


async def test_the_job_store_sends_a_statement_again_and_a_slow_job_is_tried_again(
    database: str, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the end of a job were not written down, it would count as running for ever."""
    brief = open_database(database, statement_seconds=0.2)
    locked, held_up = asyncio.Event(), asyncio.Event()
    holding: list[asyncio.Task[None]] = []
    runs = 0

    def waited(error: Exception) -> bool:
        found = waited_too_long(error)
        if found:
            held_up.set()
        return found

    monkeypatch.setattr(store, "waited_too_long", waited)

    async def hold() -> None:
        async with await psycopg.AsyncConnection.connect(database) as other:
            await other.execute("LOCK TABLE procrastinate_jobs IN EXCLUSIVE MODE")
            locked.set()
            await held_up.wait()

    tasks = Blueprint()

    @tasks.task(name="slow", retry=RetryStrategy(max_attempts=3, retry_exceptions=set(PASSING)))
    async def slow() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            async with brief.sessions() as session, session.begin():
                await session.execute(text("SELECT pg_sleep(30)"))
        # While its end is to be written down, another transaction holds the table.
        holding.append(asyncio.create_task(hold()))
        await locked.wait()

    app = App(connector=store.JobStore(database, lock_seconds=0.2))
    app.add_tasks_from(tasks, namespace="test")
    async with app.open_async():
        await app.configure_task("test:slow").defer_async()
        working = asyncio.create_task(
            app.run_worker_async(
                fetch_job_polling_interval=0.05,
                install_signal_handlers=False,
                delete_jobs="successful",
            )
        )
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as watch:
            left = "SELECT status::text FROM procrastinate_jobs"
            # If its end is never written down, this fails.
            async with asyncio.timeout(60):
                while await (await watch.execute(left)).fetchall():
                    await asyncio.sleep(0.02)
        working.cancel()
        await asyncio.gather(working, *holding, return_exceptions=True)
    assert runs == 2
    assert held_up.is_set()
    await brief.close()
