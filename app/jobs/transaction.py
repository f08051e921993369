"""One request, one transaction: topics and jobs leave with the rows."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import procrastinate
import procrastinate.jobs
from psycopg.errors import DeadlockDetected, SerializationFailure, UniqueViolation
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.database.bus import CHANNEL
from app.work import Actor, DeferredJob, Ground, Work

T = TypeVar("T")

# Never opened: it only writes jobs on the connections it is handed.
_DEFERRER = procrastinate.App(connector=procrastinate.PsycopgConnector()).job_manager


@contextlib.asynccontextmanager
async def transaction(ground: Ground, actor: Actor, *, aside: bool = False) -> AsyncIterator[Work]:
    """A unit of work: returning commits, raising rolls back.

    `aside` is for one that is opened while another is open.
    """
    sessions = ground.database.sessions_aside if aside else ground.database.sessions
    async with sessions() as session, session.begin():
        work = Work(session, ground.clock.now(), actor, ground)
        yield work
        await flush(work)


async def flush(work: Work) -> None:
    """Write the collected jobs and topics on the session's own connection."""
    if work.opened is None and not (work.last_rows or work.jobs or work.topics):
        return
    await work.session.flush()
    if work.last_rows:
        work.session.add_all(work.last_rows)
        work.last_rows.clear()
        await work.session.flush()
    if work.jobs:
        raw = await (await work.session.connection()).get_raw_connection()
        await _DEFERRER.batch_defer_jobs_async(
            [_as_job(job, work) for job in work.jobs], connection=raw.driver_connection
        )
        work.jobs.clear()
    if work.topics:
        await work.session.execute(
            text("SELECT pg_notify(:channel, t) FROM unnest(CAST(:topics AS text[])) AS t"),
            {"channel": CHANNEL, "topics": sorted(work.topics)},
        )
        work.topics.clear()


def _as_job(job: DeferredJob, work: Work) -> procrastinate.jobs.Job:
    return procrastinate.jobs.Job(
        id=None,
        queue="default",
        lock=None,
        queueing_lock=None,
        task_name=job.task,
        task_kwargs=job.arguments,
        scheduled_at=work.now + job.delay if job.delay else None,
    )


async def run_verb(
    ground: Ground, actor: Actor, verb: Callable[[Work], Awaitable[T]], *, tries: int = 3
) -> T:
    """Run a verb in a transaction of its own, again if it lost a race in the database."""
    for attempt in range(1, tries + 1):
        try:
            async with transaction(ground, actor) as work:
                return await verb(work)
        except DBAPIError as error:
            lost_a_race = isinstance(
                error.orig, (DeadlockDetected, SerializationFailure, UniqueViolation)
            )
            if not lost_a_race or attempt == tries:
                raise
    raise AssertionError("unreachable")
