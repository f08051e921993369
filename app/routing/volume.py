"""An alarm when more is dialled than usual: once in an hour, and once in a day.

A stolen account, or a line that is made to call back, costs money by the minute. The administrators
are woken and written to, and the people on call are rung, until one of them acknowledges it.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select

from app.calls.lines import finding_lines
from app.database.quick import is_one_of
from app.database.topics import Topic
from app.dialling import outward
from app.dialling.minutes import minutes
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.log import log
from app.routing import waking
from app.routing.alarm_rows import VOLUME, Alarm, AlarmKind
from app.routing.rota.unstaffed_alarms import end_alarm, open_alarm
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may
from app.work import PROGRAM, Ground, Work

_LOCK = 710032
_WINDOWS = {
    AlarmKind.DIALLING_HOUR: timedelta(hours=1),
    AlarmKind.DIALLING_DAY: timedelta(days=1),
}
_KEEPERS = [role.value for role in Role if may(role, Permission.KEEP_DIALLING)]


async def watch_volume(ground: Ground) -> None:
    """Open an alarm if too much was dialled, and end it when that is over."""
    async with transaction(ground, PROGRAM) as work:
        await look_at_volume(work)


async def look_at_volume(work: Work) -> None:
    """Compare what was dialled with the limits of the alarms."""
    rules, (hour, day) = await outward.rules_now(work), await outward.volume(work)
    minutes_hour, minutes_day = await minutes(work)
    over = {
        AlarmKind.DIALLING_HOUR: hour >= rules.alarm_hour or minutes_hour >= rules.minutes_hour,
        AlarmKind.DIALLING_DAY: day >= rules.alarm_day or minutes_day >= rules.minutes_day,
    }
    open_ = {AlarmKind(alarm.kind): alarm for alarm in await open_alarms(work)}
    if all(over[kind] == (kind in open_) for kind in VOLUME):
        return
    # Two workers that look at the same time would open each alarm twice.
    if not await work.session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
        return
    open_ = {AlarmKind(alarm.kind): alarm for alarm in await open_alarms(work)}
    for kind in VOLUME:
        if kind in open_ and not over[kind]:
            end_alarm(work, open_[kind])
            work.announce(Topic.ALARMS)
        elif over[kind] and kind not in open_ and not await _was_told(work, kind):
            await _tell(work, kind)


async def _was_told(work: Work, kind: AlarmKind) -> bool:
    """Return whether an alarm of this kind began within its window."""
    last = await work.session.scalar(select(func.max(Alarm.begun_at)).where(Alarm.kind == kind))
    return last is not None and work.now - last < _WINDOWS[kind]


async def _tell(work: Work, kind: AlarmKind) -> None:
    line = await finding_lines.any_line(work)
    log().warning("more is dialled than usual", area="dialling", cause=kind.value)
    # Without a line no phone rings; letters and notices go out all the same.
    alarm_id = await open_alarm(work, kind, line_id=line.id if line else None)
    for person in await keepers(work):
        if person.email:
            work.defer(Task.MAIL_VOLUME, alarm_id=str(alarm_id), staff_id=str(person.id))
    await waking.wake_absent(work, [person.id for person in await keepers(work)])
    work.announce(Topic.ALARMS)


async def keepers(work: Work) -> list[Staff]:
    """Return the people who keep the rules of dialling, by name."""
    rows = await work.session.scalars(
        select(Staff).where(Staff.active, Staff.role.in_(_KEEPERS)).order_by(Staff.name)
    )
    return list(rows)


OPEN_ALARMS = (
    select(Alarm)
    .where(Alarm.ended_at.is_(None), is_one_of(Alarm.kind, VOLUME))
    .order_by(Alarm.begun_at)
)


async def open_alarms(work: Work) -> list[Alarm]:
    """Return the open alarms about unusual dialling."""
    return list(await work.session.scalars(OPEN_ALARMS))


async def letter_of(work: Work, alarm_id: UUID, staff_id: UUID) -> tuple[Staff, AlarmKind] | None:
    """Return to whom a letter about an alarm goes, and its kind; None if it is not needed."""
    alarm, staff = await work.session.get(Alarm, alarm_id), await work.session.get(Staff, staff_id)
    if alarm is None or staff is None or not staff.active or not staff.email:
        return None
    return staff, AlarmKind(alarm.kind)
