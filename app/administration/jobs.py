"""Jobs of the administration: what an emergency access changed goes back, what is open of leavers
is watched, and supervisors are told where children are led.

They may run twice.
"""

from datetime import datetime
from uuid import UUID

from procrastinate import Blueprint, JobContext, RetryStrategy

from app.administration import still_open
from app.administration.leading_letters import letter_of
from app.administration.undoing import undo_settings
from app.calls.lines.leading import Leads
from app.jobs.names import Task
from app.jobs.passing import PASSING
from app.jobs.transaction import transaction
from app.outbox.mail import write_to_staff
from app.outbox.responses import TryAgain
from app.work import PROGRAM, Ground

_RETRY = RetryStrategy(max_attempts=None, exponential_wait=2, retry_exceptions=set(PASSING))
# For two weeks, while the mail server is away: no page tells supervisors what the letter says.
_MAILS = RetryStrategy(max_attempts=14 * 24 * 6, wait=600, retry_exceptions={*PASSING, TryAgain})


def administration_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()

    @tasks.task(name=Task.UNDO_SETTINGS.in_area, retry=_RETRY, pass_context=True)
    async def undo(context: JobContext, emergency_id: str) -> None:
        async with transaction(context.additional_context["ground"], PROGRAM) as work:
            await undo_settings(work, UUID(emergency_id))

    @tasks.task(name=Task.WATCH_LEAVER.in_area, retry=_RETRY, pass_context=True)
    async def watch_leaver(context: JobContext, staff_id: str) -> None:
        async with transaction(context.additional_context["ground"], PROGRAM) as work:
            await still_open.watch(work, UUID(staff_id))

    @tasks.task(name=Task.TELL_LEADS_ELSEWHERE.in_area, retry=_MAILS, pass_context=True)
    async def tell_leads(
        context: JobContext,
        letter_id: str,
        staff_id: str,
        by: str,
        at: str,
        line_id: str,
        changed: list[str],
        taken_back: bool = False,
    ) -> None:
        ground: Ground = context.additional_context["ground"]
        moment, kinds = datetime.fromisoformat(at), [Leads(one) for one in changed]
        async with transaction(ground, PROGRAM) as work:
            letter = await letter_of(
                work,
                UUID(staff_id),
                _id(by),
                moment,
                _id(line_id),
                kinds,
                taken_back=taken_back,
            )
        if letter is not None:
            what = "word of what leads children elsewhere"
            await write_to_staff(
                ground, *letter, message_id=UUID(letter_id), area="administration", what=what
            )

    return tasks


def _id(said: str) -> UUID | None:
    return UUID(said) if said else None
