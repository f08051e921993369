"""One request, one transaction: topics and jobs are committed with the rows."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import procrastinate
import procrastinate.jobs
import psycopg
from psycopg.rows import dict_row
from sqlalchemy.exc import DBAPIError

from app.database.bus import CHANNEL
from app.database.engine import ALLOW_LONG, lost_a_race
from app.database.quick import Command, Question, Row, send
from app.jobs.app import QUEUES
from app.jobs.names import Queue
from app.work import AT_ONCE, Actor, DeferredJob, Ground, Work

T = TypeVar("T")

_NOTIFY = "SELECT pg_notify(%(channel)s, t) FROM unnest(%(topics)s::text[]) AS t"

# Never opened: it only writes jobs on the connections that it is given.
_DEFERRER = procrastinate.App(connector=procrastinate.PsycopgConnector()).job_manager


@contextlib.asynccontextmanager
async def transaction(
    ground: Ground, actor: Actor, *, aside: bool = False, long: bool = False
) -> AsyncIterator[Work]:
    """Open a unit of work: it commits at the end, and rolls back if an exception is raised.

    Set `aside` if it is opened while another one is open, `long` for a job whose statements look
    through whole tables.
    """
    await ground.keys.ready()
    sessions = ground.database.sessions_aside if aside else ground.database.sessions
    async with sessions() as session, session.begin():
        if long:
            await session.execute(ALLOW_LONG)
        work = Work(session, ground.clock.now(), actor, ground)
        yield work
        await flush(work)
    work.forget_changed()


@contextlib.asynccontextmanager
async def _driver(work: Work) -> AsyncIterator[Any]:
    """Lend the driver's own connection of the transaction of this work.

    Work that is cancelled meanwhile leaves a connection on which an answer may still be on its way:
    the next statement would take it for its own. Such a connection is not used again, as SQLAlchemy
    does it with its own statements.
    """
    connection = await work.session.connection()
    try:
        yield (await connection.get_raw_connection()).driver_connection
    except asyncio.CancelledError:
        await connection.invalidate()
        raise


async def send_rows(work: Work) -> None:
    """Send the rows of `write_later` at once, because they are about to be read.

    Raises psycopg.Error, and the refusal of a check.
    """
    if work.rows:
        await work.session.flush()
        async with _driver(work) as raw:
            await send(raw, work.rows, work.checks)
        work.rows.clear()
        work.checks.clear()


async def write_now(work: Work, command: Command, values: dict[str, Any]) -> None:
    """Write a row at once, before rows that the session or `write_later` still hold.

    Raises psycopg.Error. The session would take three times as long for it.
    """
    async with _driver(work) as raw:
        await send(raw, [(command.sql, command.row(values))])


async def ask(work: Work, sql: str, **values: Any) -> list[Row]:
    """Return the rows of a frequent statement, which may write.

    It is a part of the transaction of this work if one is open, and else one by itself: then it
    costs one round trip, without a session.
    """
    if work.opened is None:
        return await work.ground.database.quick.ask(sql, values)
    await work.session.flush()
    async with _driver(work) as raw, raw.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, values)
        rows: list[Row] = await cursor.fetchall()
    return rows


async def rows_of(work: Work, question: Question, **values: Any) -> list[Row]:
    """Return the rows of a frequent question, as `ask`."""
    return await ask(work, question.sql, **question.fixed, **values)


async def flush(work: Work) -> None:
    """Ask what must still hold, and write the collected rows, jobs and topics.

    Raises psycopg.Error, and the refusal of a check.
    """
    chained = sorted(work.chained, key=lambda row: row[0])
    rows = [*work.rows, *((sql, values) for _, sql, values in chained), *work.last_rows]
    if work.opened is None and not (rows or work.checks or work.jobs or work.topics):
        return
    if work.topics:
        rows.append((_NOTIFY, {"channel": CHANNEL, "topics": sorted(work.topics)}))
    if work.opened is None and not work.jobs:
        # No session was opened: the rows are the whole transaction.
        await work.ground.database.quick.write(rows, work.checks)
        _written(work)
        return
    await work.session.flush()
    if not (rows or work.checks or work.jobs):
        return
    async with _driver(work) as raw:
        if work.jobs:
            await _DEFERRER.batch_defer_jobs_async(
                [_as_job(job, work) for job in work.jobs], connection=raw
            )
            work.jobs.clear()
        if rows or work.checks:
            await send(raw, rows, work.checks)
    _written(work)


def _written(work: Work) -> None:
    work.changed |= work.topics & AT_ONCE
    for written in (work.topics, work.checks, work.rows, work.chained, work.last_rows):
        written.clear()


def _as_job(job: DeferredJob, work: Work) -> procrastinate.jobs.Job:
    return procrastinate.jobs.Job(
        id=None,
        queue=QUEUES.get(job.task, Queue.DEFAULT).value,
        lock=None,
        queueing_lock=None,
        task_name=job.task,
        task_kwargs=job.arguments,
        scheduled_at=work.now + job.delay if job.delay else None,
    )


async def run_verb(
    ground: Ground, actor: Actor, verb: Callable[[Work], Awaitable[T]], *, attempts: int = 3
) -> T:
    """Run a verb in a transaction of its own; retry it if it lost a race in the database."""
    for attempt in range(1, attempts + 1):
        try:
            async with transaction(ground, actor) as work:
                return await verb(work)
        except (DBAPIError, psycopg.Error) as error:
            if not lost_a_race(error) or attempt == attempts:
                raise
    raise AssertionError("unreachable")
