"""Background tasks of routing: mail about uncovered shifts, and about unusual dialling."""

from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from procrastinate import Blueprint, JobContext, RetryStrategy

from app.calls.lines.line_rows import Line
from app.jobs.names import Task
from app.jobs.passing import PASSING
from app.jobs.transaction import transaction
from app.outbox.mail import write_to_staff
from app.outbox.responses import TryAgain
from app.routing import volume
from app.routing.alarm_rows import AlarmKind
from app.routing.rota.models import CoverageKind, UncoveredShift
from app.staff.models import Staff
from app.words.pages import _, instant_words, language_name, spoken_in
from app.work import PROGRAM, Ground

_RETRY = RetryStrategy(
    max_attempts=12,
    exponential_wait=3,
    retry_exceptions={*PASSING, TryAgain},
)


def routing_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()

    @tasks.task(name=Task.MAIL_ALARM.in_area, retry=_RETRY, pass_context=True)
    async def mail_alarm(context: JobContext, alarm_id: str, staff_id: str) -> None:
        await tell_alarm(context.additional_context["ground"], UUID(alarm_id), UUID(staff_id))

    @tasks.task(name=Task.MAIL_VOLUME.in_area, retry=_RETRY, pass_context=True)
    async def mail_volume(context: JobContext, alarm_id: str, staff_id: str) -> None:
        await tell_volume(context.additional_context["ground"], UUID(alarm_id), UUID(staff_id))

    return tasks


async def tell_volume(ground: Ground, alarm_id: UUID, staff_id: UUID) -> None:
    """Send one mail about unusual dialling. Raises TryAgain, so that the job is retried."""
    async with transaction(ground, PROGRAM) as work:
        found = await volume.letter_of(work, alarm_id, staff_id)
    if found is None:
        return
    staff, kind = found
    with spoken_in(staff.page_language):
        subject = _("Helpline: more is dialled than usual")
        body = (
            _("Within the last hour, more was dialled or sent than the limits of the alarm.")
            if kind is AlarmKind.DIALLING_HOUR
            else _("Within the last day, more was dialled or sent than the limits of the alarm.")
        )
        todo = _("See who had what dialled, and change the limit if this is as it should be:")
    await write_to_staff(
        ground,
        staff.email or "",
        subject,
        f"{body}\n\n{todo}\n{ground.settings.public_url}/admin/dialling\n",
        message_id=uuid5(alarm_id, str(staff_id)),
        area="routing",
        what="unusual dialling",
    )


async def tell_alarm(ground: Ground, alarm_id: UUID, staff_id: UUID) -> None:
    """Send one mail about an uncovered shift. Raises TryAgain, so that the job is retried."""
    async with transaction(ground, PROGRAM) as work:
        alarm = await work.session.get(UncoveredShift, alarm_id)
        staff = await work.session.get(Staff, staff_id)
        if alarm is None or staff is None or not staff.active or not staff.email:
            return
        line = await work.session.get(Line, alarm.line_id)
        assert line is not None
        zone = ZoneInfo(line.timezone)
    subject, body = _letter(alarm, line.name, zone, staff.page_language)
    begin = alarm.from_at.astimezone(zone)
    await write_to_staff(
        ground,
        staff.email,
        subject,
        f"{body}\n\n{ground.settings.public_url}/roster?week={begin:%Y-%m-%d}\n",
        message_id=uuid5(alarm_id, str(staff_id)),
        area="routing",
        what="an uncovered shift",
    )


def _letter(alarm: UncoveredShift, line: str, zone: ZoneInfo, language: str) -> tuple[str, str]:
    """Return subject and body about an uncovered shift, in the language of the reader's pages."""
    begun = alarm.kind == CoverageKind.BEGUN
    with spoken_in(language):
        which = f"{line} ({language_name(alarm.language)})"
        begin, end = (instant_words(at.astimezone(zone)) for at in (alarm.from_at, alarm.until_at))
        subject = (
            _("Helpline: uncovered shift now: %(which)s", which=which)
            if begun
            else _("Helpline: uncovered shift soon: %(which)s", which=which)
        )
        body = _(
            "No counsellor on the rota covers %(which)s from %(begin)s to %(end)s (%(zone)s).",
            which=which,
            begin=begin,
            end=end,
            zone=zone.key,
        )
        if begun:
            more = _("It has begun. Callers hear when we are open again, and can leave a message.")
            body = f"{body}\n\n{more}"
    return subject, body
