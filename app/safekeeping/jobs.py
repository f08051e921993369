"""Jobs of safekeeping: anchors go out, back-ups are made, and administrators are told."""

from uuid import UUID

from procrastinate import Blueprint, JobContext, RetryStrategy

from app.jobs.names import Task
from app.jobs.passing import PASSING
from app.outbox.responses import TryAgain
from app.safekeeping import anchors, notices
from app.safekeeping.backups import nightly
from app.safekeeping.models import Way

# For a day: then the next anchor is due, and the notice is out.
_DELIVERS = RetryStrategy(
    max_attempts=100,
    wait=900,
    retry_exceptions={*PASSING, TryAgain},
)
_MAILS = RetryStrategy(
    max_attempts=12,
    exponential_wait=3,
    retry_exceptions={*PASSING, TryAgain},
)
_BACKS_UP = RetryStrategy(max_attempts=5, wait=600, retry_exceptions={*PASSING, TryAgain})


def safekeeping_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()

    @tasks.task(name=Task.DELIVER_ANCHOR.in_area, retry=_DELIVERS, pass_context=True)
    async def deliver_anchor(context: JobContext, anchor_id: str, way: str) -> None:
        await anchors.deliver(context.additional_context["ground"], UUID(anchor_id), Way(way))

    @tasks.task(name=Task.MAIL_SAFEKEEPING.in_area, retry=_MAILS, pass_context=True)
    async def mail_safekeeping(context: JobContext, notice_id: str, staff_id: str) -> None:
        await notices.mail(context.additional_context["ground"], UUID(notice_id), UUID(staff_id))

    @tasks.task(name=Task.MAKE_BACKUP.in_area, retry=_BACKS_UP, pass_context=True)
    async def make_backup(context: JobContext) -> None:
        await nightly.make(context.additional_context["ground"])

    return tasks
