"""Jobs of accounts: the letter with the link by which a person chooses a password."""

from uuid import UUID

import psycopg
from procrastinate import Blueprint, JobContext, RetryStrategy
from sqlalchemy.exc import DBAPIError

from app.jobs.transaction import transaction
from app.outbox.mail import write_to_staff
from app.outbox.responses import TryAgain
from app.people import links
from app.work import PROGRAM, Ground

# For some hours, while the mail server is away; the page says meanwhile that nothing was sent.
_MAILS = RetryStrategy(
    max_attempts=60, wait=300, retry_exceptions={TryAgain, DBAPIError, psycopg.Error, OSError}
)


def people_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()

    @tasks.task(name="mail_link", retry=_MAILS, pass_context=True)
    async def mail_link(context: JobContext, link_id: str) -> None:
        await _mail_link(context.additional_context["ground"], UUID(link_id))

    return tasks


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
