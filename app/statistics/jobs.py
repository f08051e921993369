"""Background jobs: keep days, make files, send reports, delete old files."""

from uuid import UUID

from procrastinate import Blueprint, JobContext, RetryStrategy

from app.jobs.names import Task
from app.jobs.passing import PASSING
from app.jobs.transaction import transaction
from app.outbox.responses import TryAgain
from app.statistics.exports import carrying_out, requested
from app.statistics.facts.days import days_to_keep, keep_days
from app.statistics.planning import proposing
from app.statistics.reports import sending
from app.work import PROGRAM, Ground

_RETRY = RetryStrategy(max_attempts=50, exponential_wait=2, retry_exceptions=set(PASSING))
_MAIL_RETRY = RetryStrategy(
    max_attempts=12,
    exponential_wait=3,
    retry_exceptions={*PASSING, TryAgain},
)
# Seconds between two searches for due work.
EVERY = 60
# The most days that one run keeps; after a long import, further runs keep the rest.
_AT_ONCE = 31


def statistics_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()

    @tasks.task(name=Task.KEEP_DAYS.in_area, retry=_RETRY, pass_context=True)
    async def keep(context: JobContext) -> None:
        ground: Ground = context.additional_context["ground"]
        now = ground.clock.now()
        while await keep_days(ground, await days_to_keep(ground, now), now):
            pass

    @tasks.task(name=Task.MAKE_EXPORT.in_area, retry=_RETRY, pass_context=True)
    async def make_export(context: JobContext, export_id: str) -> None:
        await carrying_out.make(context.additional_context["ground"], UUID(export_id))

    @tasks.task(name=Task.PROPOSE_ROTA.in_area, retry=_RETRY, pass_context=True)
    async def propose_rota(context: JobContext, proposal_id: str) -> None:
        await proposing.carry_out(context.additional_context["ground"], UUID(proposal_id))

    @tasks.task(name=Task.SEND_REPORT.in_area, retry=_RETRY, pass_context=True)
    async def send_report(context: JobContext, export_id: str) -> None:
        await sending.make_report(context.additional_context["ground"], UUID(export_id))

    @tasks.task(name=Task.ANNOUNCE_REPORT.in_area, retry=_MAIL_RETRY, pass_context=True)
    async def announce_report(context: JobContext, export_id: str, staff_id: str) -> None:
        ground: Ground = context.additional_context["ground"]
        await sending.announce(ground, UUID(export_id), UUID(staff_id))

    return tasks


async def look_round(ground: Ground) -> None:
    """Keep days that are over, start reports that are due, and delete expired files."""
    now = ground.clock.now()
    await keep_days(ground, await days_to_keep(ground, now, _AT_ONCE), now)
    async with transaction(ground, PROGRAM) as work:
        await sending.take_due(work)
        await requested.expire(work)
