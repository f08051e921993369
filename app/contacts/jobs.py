"""Jobs of contacts and cases: reminders, overdue follow-ups, and access that ends.

Every job may be run twice.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

from procrastinate import Blueprint, JobContext, RetryStrategy

from app.contacts.cases import case_requests, follow_ups
from app.contacts.cases.follow_ups import ring_bell
from app.contacts.finding.rebuilding import rebuild
from app.contacts.openings import close_opening
from app.contacts.states import ReminderTo, RequestTo
from app.jobs.names import Task
from app.jobs.passing import PASSING
from app.jobs.transaction import transaction
from app.outbox.mail import write_to_staff
from app.outbox.responses import TryAgain
from app.work import PROGRAM, Ground, Work

# Returns the letters about a row: for each a key, the address, the subject and the body.
_Letters = Callable[[Work], Awaitable[list[tuple[UUID, str, str, str]]]]
# Retry without end: a reminder that is never sent is a child forgotten.
_RETRY = RetryStrategy(
    max_attempts=None,
    exponential_wait=2,
    retry_exceptions=set(PASSING),
)


# Retry for more than a day while the mail server is away.
_MAILS = RetryStrategy(max_attempts=200, wait=600, retry_exceptions={*PASSING, TryAgain})


def contacts_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()

    @tasks.task(name=Task.REMIND.in_area, retry=_RETRY, pass_context=True)
    async def remind(context: JobContext, follow_up_id: str) -> None:
        await _ring(context, follow_up_id, overdue=False)

    @tasks.task(name=Task.OVERDUE.in_area, retry=_RETRY, pass_context=True)
    async def overdue(context: JobContext, follow_up_id: str) -> None:
        await _ring(context, follow_up_id, overdue=True)

    @tasks.task(name=Task.CLOSE_OPENING.in_area, retry=_RETRY, pass_context=True)
    async def close(context: JobContext, opening_id: str) -> None:
        ground: Ground = context.additional_context["ground"]
        async with transaction(ground, PROGRAM) as work:
            await close_opening(work, UUID(opening_id))

    @tasks.task(name=Task.MAIL_FOLLOW_UP.in_area, retry=_MAILS, pass_context=True)
    async def mail_follow_up(context: JobContext, follow_up_id: str, to: str) -> None:
        row, reader = UUID(follow_up_id), ReminderTo(to)
        await _mail(context, lambda work: follow_ups.letters_of(work, row, reader))

    @tasks.task(name=Task.MAIL_REQUEST.in_area, retry=_MAILS, pass_context=True)
    async def mail_request(context: JobContext, request_id: str, to: str) -> None:
        row, reader = UUID(request_id), RequestTo(to)
        await _mail(context, lambda work: case_requests.letters_of(work, row, reader))

    @tasks.task(name=Task.REBUILD_KEYS.in_area, retry=_RETRY, pass_context=True)
    async def rebuild_keys(context: JobContext) -> None:
        ground: Ground = context.additional_context["ground"]
        async with transaction(ground, PROGRAM) as work:
            await rebuild(work)

    return tasks


async def _mail(context: JobContext, letters_of: _Letters) -> None:
    """Send the letters about a row that are still to be sent."""
    ground: Ground = context.additional_context["ground"]
    async with transaction(ground, PROGRAM) as work:
        letters = await letters_of(work)
    for key, address, subject, body in letters:
        # The key is the Message-ID, so that a letter sent twice counts as one.
        await write_to_staff(
            ground, address, subject, body, message_id=key, area="contacts", what="a reminder"
        )


async def _ring(context: JobContext, follow_up_id: str, *, overdue: bool) -> None:
    ground: Ground = context.additional_context["ground"]
    async with transaction(ground, PROGRAM) as work:
        await ring_bell(work, UUID(follow_up_id), overdue=overdue)
