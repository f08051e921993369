"""The job of each night, that of a request about a person's data, and rules of a country that come
into force; letters of shorter rules, and of requests that wait or have ended.

All may be run twice.
"""

from datetime import datetime
from uuid import UUID

from procrastinate import Blueprint, JobContext, RetryStrategy

from app.jobs.names import Task
from app.jobs.passing import PASSING
from app.jobs.transaction import transaction
from app.outbox.mail import write_to_staff
from app.outbox.responses import TryAgain
from app.retention import by_country, letters
from app.retention.data_requests import answering
from app.retention.data_requests import letters as of_requests
from app.retention.data_requests.kinds import Reminder, RequestEnd
from app.retention.running import carry_on
from app.work import PROGRAM, Ground

_RETRY = RetryStrategy(max_attempts=50, exponential_wait=2, retry_exceptions=set(PASSING))
# Without end: the folder of the lists may be away for days, and a law says by when it must be done.
# Administrators are told after an hour (`app/retention/data_requests/reminding.py`).
_EACH_MINUTE = RetryStrategy(max_attempts=None, wait=60, retry_exceptions=set(PASSING))
# For some hours, while the mail server is away.
_MAILS = RetryStrategy(max_attempts=60, wait=300, retry_exceptions={*PASSING, TryAgain})


def retention_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()

    @tasks.task(name=Task.ERASE_DUE.in_area, retry=_RETRY, pass_context=True)
    async def erase_due(context: JobContext, run_id: str) -> None:
        await carry_on(context.additional_context["ground"], UUID(run_id))

    @tasks.task(name=Task.CARRY_OUT_REQUEST.in_area, retry=_EACH_MINUTE, pass_context=True)
    async def carry_out_request(context: JobContext, request_id: str) -> None:
        await answering.carry_out(context.additional_context["ground"], UUID(request_id))

    @tasks.task(name=Task.FOLLOW_COUNTRY.in_area, retry=_RETRY, pass_context=True)
    async def follow_country(context: JobContext, order_id: int) -> None:
        async with transaction(context.additional_context["ground"], PROGRAM) as work:
            await by_country.begin_to_follow(work, order_id)

    @tasks.task(name=Task.TELL_SHORTER_RULES.in_area, retry=_MAILS, pass_context=True)
    async def tell(context: JobContext, letter_id: str, staff_id: str, by: str, at: str) -> None:
        ground: Ground = context.additional_context["ground"]
        moment = datetime.fromisoformat(at)
        async with transaction(ground, PROGRAM) as work:
            asker = UUID(by) if by else None
            letter = await letters.letter_of(work, UUID(staff_id), asker, moment)
        if letter is not None:
            what = "word of a shorter rule"
            await write_to_staff(
                ground, *letter, message_id=UUID(letter_id), area="retention", what=what
            )

    @tasks.task(name=Task.TELL_REQUEST_ENDED.in_area, retry=_MAILS, pass_context=True)
    async def tell_of_end(context: JobContext, letter_id: str, staff_id: str, state: str) -> None:
        ground: Ground = context.additional_context["ground"]
        async with transaction(ground, PROGRAM) as work:
            letter = await of_requests.letter_of(work, UUID(staff_id), RequestEnd(state))
        if letter is not None:
            what = "word of a request that has ended"
            await write_to_staff(
                ground, *letter, message_id=UUID(letter_id), area="retention", what=what
            )

    @tasks.task(name=Task.REMIND_OF_REQUESTS.in_area, retry=_MAILS, pass_context=True)
    async def remind(
        context: JobContext, letter_id: str, staff_id: str, state: str, by: str
    ) -> None:
        ground: Ground = context.additional_context["ground"]
        until = datetime.fromisoformat(by).date()
        async with transaction(ground, PROGRAM) as work:
            letter = await of_requests.reminder_of(work, UUID(staff_id), Reminder(state), until)
        if letter is not None:
            what = "word of a request that waits"
            await write_to_staff(
                ground, *letter, message_id=UUID(letter_id), area="retention", what=what
            )

    return tasks
