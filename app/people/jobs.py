"""Jobs of accounts, of emergency access and of the check of the logs."""

from datetime import datetime
from uuid import UUID

from procrastinate import Blueprint, JobContext, RetryStrategy

from app.jobs.names import Task
from app.jobs.passing import PASSING
from app.jobs.transaction import transaction
from app.outbox.mail import write_to_staff
from app.outbox.responses import TryAgain
from app.people import links
from app.people.emergency import closing
from app.people.letters import emergency_letter, letter_to_owner
from app.people.log_check import check_log
from app.people.provider import access
from app.staff.models import Staff
from app.staff.telling import Told, former_address
from app.work import PROGRAM, Ground

# For some hours, while the mail server is away; the page says meanwhile that nothing was sent.
_MAILS = RetryStrategy(max_attempts=60, wait=300, retry_exceptions={*PASSING, TryAgain})
_CHECKS = RetryStrategy(max_attempts=5, wait=60, retry_exceptions=set(PASSING))
# Without end: an access that is never closed goes on.
_CLOSES = RetryStrategy(max_attempts=None, wait=60, retry_exceptions=set(PASSING))


def people_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()

    @tasks.task(name=Task.MAIL_LINK.in_area, retry=_MAILS, pass_context=True)
    async def mail_link(context: JobContext, link_id: str) -> None:
        await _mail_link(context.additional_context["ground"], UUID(link_id))

    @tasks.task(name=Task.TELL_OWNER.in_area, retry=_MAILS, pass_context=True)
    async def tell_owner(
        context: JobContext,
        letter_id: str,
        staff_id: str,
        what: str,
        at: str,
        browser: str,
        former: str | None = None,
    ) -> None:
        said = (Told(what), datetime.fromisoformat(at), browser)
        ground = context.additional_context["ground"]
        await _tell_owner(ground, UUID(letter_id), UUID(staff_id), *said, former)

    @tasks.task(name=Task.TAKE_OUT_OF_SERVICE.in_area, retry=_CHECKS, pass_context=True)
    async def take_out(context: JobContext, staff_id: str) -> None:
        async with transaction(context.additional_context["ground"], PROGRAM) as work:
            staff = await work.session.get_one(Staff, UUID(staff_id))
            await access.take_out_of_service(work, staff)

    @tasks.task(name=Task.CLOSE_EMERGENCY.in_area, retry=_CLOSES, pass_context=True)
    async def close_emergency(
        context: JobContext, emergency_id: str, at_once: bool = False
    ) -> None:
        async with transaction(context.additional_context["ground"], PROGRAM) as work:
            await closing.close_in_time(work, UUID(emergency_id), at_once=at_once)

    @tasks.task(name=Task.TELL_EMERGENCY.in_area, retry=_MAILS, pass_context=True)
    async def tell_emergency(
        context: JobContext, letter_id: str, emergency_id: str, staff_id: str, state: str
    ) -> None:
        ground: Ground = context.additional_context["ground"]
        async with transaction(ground, PROGRAM) as work:
            letter = await emergency_letter(work, UUID(emergency_id), UUID(staff_id), state)
        if letter is not None:
            await write_to_staff(
                ground,
                *letter,
                message_id=UUID(letter_id),
                area="people",
                what="word of an emergency access",
            )

    @tasks.task(name=Task.CHECK_LOG.in_area, retry=_CHECKS, pass_context=True)
    async def check(context: JobContext) -> None:
        async with transaction(context.additional_context["ground"], PROGRAM, long=True) as work:
            await check_log(work)

    return tasks


async def _tell_owner(
    ground: Ground,
    letter_id: UUID,
    staff_id: UUID,
    what: Told,
    at: datetime,
    browser: str,
    former: str | None,
) -> None:
    async with transaction(ground, PROGRAM) as work:
        address = former_address(work, letter_id, former) if former else None
        letter = await letter_to_owner(work, staff_id, what, at, browser, address)
    if letter is not None:
        await write_to_staff(
            ground, *letter, message_id=letter_id, area="people", what="word of an account"
        )


async def _mail_link(ground: Ground, link_id: UUID) -> None:
    async with transaction(ground, PROGRAM) as work:
        letter = await links.letter_of(work, link_id)
    if letter is None:
        return
    accepted = await write_to_staff(
        ground, *letter, message_id=link_id, area="people", what="a link for a password"
    )
    async with transaction(ground, PROGRAM) as work:
        await links.note_mailed(work, link_id, work.now, accepted=accepted)
