"""Jobs of the keys: everything is sealed anew, and hashes are carried over. Both may run twice."""

from datetime import timedelta

from procrastinate import Blueprint, JobContext, RetryStrategy
from sqlalchemy import MetaData

from app.jobs.names import Task
from app.jobs.passing import PASSING
from app.jobs.transaction import transaction
from app.sealing import hashes, resealing, state
from app.work import PROGRAM, Ground

_RETRY = RetryStrategy(max_attempts=None, exponential_wait=2, retry_exceptions=set(PASSING))
# How many batches of rows one job takes: it ends soon when the worker is to stop.
_BATCHES = 25
# How long until rows that were left out, because they were being changed, are looked at again.
_SOON = timedelta(seconds=60)


def sealing_tasks(metadata: MetaData) -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()

    @tasks.task(name=Task.RESEAL.in_area, retry=_RETRY, pass_context=True)
    async def reseal(context: JobContext, asked: bool = False) -> None:
        ground: Ground = context.additional_context["ground"]
        done = await resealing.reseal(ground, metadata, most=_BATCHES)
        async with transaction(ground, PROGRAM, long=True) as work:
            if await resealing.is_left(work, metadata):
                work.defer(Task.RESEAL, delay=None if done else _SOON, asked=asked)
                return
            if asked or done:
                state.note_resealed(work, done)
            await state.count(work, metadata)
            if done:
                # Once more, for what a process that was cut off has sealed meanwhile.
                work.defer(Task.RESEAL, delay=resealing.SETTLED)

    @tasks.task(name=Task.CARRY_HASHES.in_area, retry=_RETRY, pass_context=True)
    async def carry_hashes(context: JobContext) -> None:
        await hashes.carry_hashes(context.additional_context["ground"], metadata, most=_BATCHES)

    return tasks
