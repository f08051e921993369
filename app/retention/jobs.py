"""The job of each night, and the job of a request about a person's data. Both may be run twice."""

from uuid import UUID

from procrastinate import Blueprint, JobContext, RetryStrategy

from app.jobs.names import Task
from app.jobs.passing import PASSING
from app.retention.data_requests import answering
from app.retention.running import carry_on

_RETRY = RetryStrategy(max_attempts=50, exponential_wait=2, retry_exceptions=set(PASSING))


def retention_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()

    @tasks.task(name=Task.ERASE_DUE.in_area, retry=_RETRY, pass_context=True)
    async def erase_due(context: JobContext, run_id: str) -> None:
        await carry_on(context.additional_context["ground"], UUID(run_id))

    @tasks.task(name=Task.CARRY_OUT_REQUEST.in_area, retry=_RETRY, pass_context=True)
    async def carry_out_request(context: JobContext, request_id: str) -> None:
        await answering.carry_out(context.additional_context["ground"], UUID(request_id))

    return tasks
