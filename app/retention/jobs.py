"""The job of each night. It may be run twice."""

from uuid import UUID

import psycopg
from procrastinate import Blueprint, JobContext, RetryStrategy
from sqlalchemy.exc import DBAPIError

from app.retention.running import carry_on

_RETRY = RetryStrategy(
    max_attempts=50, exponential_wait=2, retry_exceptions={DBAPIError, psycopg.Error, OSError}
)


def retention_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()

    @tasks.task(name="erase_due", retry=_RETRY, pass_context=True)
    async def erase_due(context: JobContext, run_id: str) -> None:
        await carry_on(context.additional_context["ground"], UUID(run_id))

    return tasks
