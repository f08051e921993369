"""How the jobs of referrals are run: their parts, and when one is run again."""

from datetime import timedelta
from typing import Any

from procrastinate import BaseRetryStrategy, JobContext, RetryDecision, jobs

from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.log import fault, log
from app.work import PROGRAM, Ground


class Persist(BaseRetryStrategy):
    """Retry after 2, 4, 8 ... at most 300 seconds, whatever the error, without end.

    A job that is given up here could leave a child without help. Repeated failures are logged.
    """

    def get_retry_decision(self, *, exception: BaseException, job: jobs.Job) -> RetryDecision:
        if job.attempts > 2:
            log().error(
                "a job keeps failing",
                area="referrals",
                task=job.task_name,
                **fault(exception),
            )
        return RetryDecision(retry_in={"seconds": int(min(2 ** min(job.attempts + 1, 9), 300))})


async def run_later(ground: Ground, job: Task, seconds: float, **arguments: Any) -> None:
    """Run a job again after some seconds, by the program's own clock."""
    async with transaction(ground, PROGRAM) as work:
        work.defer(job, delay=timedelta(seconds=seconds), **arguments)


def ground_of(context: JobContext) -> Ground:
    ground: Ground = (context.additional_context or {})["ground"]
    return ground
