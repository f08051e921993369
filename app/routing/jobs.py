"""Background tasks of routing: mail to supervisors about uncovered shifts."""

from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import psycopg
from procrastinate import Blueprint, JobContext, RetryStrategy
from sqlalchemy.exc import DBAPIError

from app.calls.models import Line
from app.jobs.transaction import transaction
from app.log import log
from app.mail import MailRefused, MailUncertain, NotMailed, read_smtp_url, send_mail
from app.routing.models import CoverageAlarm
from app.staff.models import Staff
from app.work import PROGRAM, Ground

_RETRY = RetryStrategy(
    max_attempts=12,
    exponential_wait=3,
    retry_exceptions={DBAPIError, psycopg.Error, OSError, NotMailed},
)


def routing_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()

    @tasks.task(name="mail_alarm", retry=_RETRY, pass_context=True)
    async def mail_alarm(context: JobContext, alarm_id: str, staff_id: str) -> None:
        await tell_alarm(context.additional_context["ground"], UUID(alarm_id), UUID(staff_id))

    return tasks


async def tell_alarm(ground: Ground, alarm_id: UUID, staff_id: UUID) -> None:
    """Send one mail about an uncovered shift. Raises NotMailed, so that the job is retried."""
    async with transaction(ground, PROGRAM) as work:
        alarm = await work.session.get(CoverageAlarm, alarm_id)
        staff = await work.session.get(Staff, staff_id)
        if alarm is None or staff is None or not staff.active or not staff.email:
            return
        line = await work.session.get(Line, alarm.line_id)
        assert line is not None
        zone, now = ZoneInfo(line.timezone), work.now
    if ground.settings.smtp_url is None:
        log().warning(
            "no mail about an uncovered shift: HELPLINE_SMTP_URL is not set", area="routing"
        )
        return
    begin, end = (at.astimezone(zone) for at in (alarm.from_at, alarm.until_at))
    which = f"{line.name} ({alarm.language})"
    when = f"from {begin:%a %d %b %H:%M} to {end:%a %d %b %H:%M} ({line.timezone})"
    begun = alarm.kind == "begun"
    subject = f"Uncovered shift: {which} {'now' if begun else 'soon'}"
    body = (
        f"No counsellor on the rota covers {which}\n{when}.\n\n"
        + (
            "It has begun. Callers hear when we are open again, and can leave a message.\n\n"
            if begun
            else ""
        )
        + f"{ground.settings.public_url}/roster?week={begin:%Y-%m-%d}\n"
    )
    try:
        await send_mail(
            read_smtp_url(ground.settings.smtp_url),
            staff.email,
            f"Helpline: {subject}",
            body,
            message_id=uuid5(alarm_id, str(staff_id)),
            at=now,
        )
    except (MailRefused, MailUncertain) as error:
        log().warning(
            "the mail about an uncovered shift was not sent",
            area="routing",
            why=type(error).__name__,
        )
