"""The job of the definitions: answers of questions that were marked later are sealed.

It may run twice.
"""

from datetime import timedelta

from procrastinate import Blueprint, JobContext, RetryStrategy

from app.country import marked
from app.jobs.names import Task
from app.jobs.passing import PASSING
from app.jobs.transaction import transaction
from app.work import PROGRAM, Ground

_RETRY = RetryStrategy(max_attempts=None, exponential_wait=2, retry_exceptions=set(PASSING))
# How many batches of rows one job takes: it ends soon when the worker is to stop.
_BATCHES = 25
# How long until rows that were left out, because they were being changed, are looked at again.
_SOON = timedelta(seconds=60)
# A process that was cut off from the database may have written in the open until then.
_SETTLED = timedelta(minutes=5)


def country_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()

    @tasks.task(name=Task.SEAL_MARKED.in_area, retry=_RETRY, pass_context=True)
    async def seal_marked(context: JobContext) -> None:
        ground: Ground = context.additional_context["ground"]
        done = await marked.seal_marked(ground, most=_BATCHES)
        async with transaction(ground, PROGRAM, long=True) as work:
            if await marked.is_left(work):
                work.defer(Task.SEAL_MARKED, delay=None if done else _SOON)
            elif done:
                work.defer(Task.SEAL_MARKED, delay=_SETTLED)

    return tasks
