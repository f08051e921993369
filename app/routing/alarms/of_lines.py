"""Alarms about what waits at a line in whatever language: one of a kind for each line.

Each kind has a look of its own, which finds the lines where something is late.
"""

from uuid import UUID

from sqlalchemy import Select, func, select

from app.calls.lines.line_rows import Line
from app.database.topics import Topic
from app.log import log
from app.routing.alarm_rows import Alarm, AlarmKind
from app.routing.rota.unstaffed_alarms import end_alarm, open_alarm
from app.work import Work


async def settle(work: Work, kind: AlarmKind, late: set[UUID], lock: int) -> None:
    """Open an alarm for each line that is late, and end those of lines that are not any more.

    `lock`: the number of the advisory lock by which two workers do not open each alarm twice.
    """
    if late == {alarm.line_id for alarm, _ in await open_alarms(work, kind)}:
        return
    if not await work.session.scalar(select(func.pg_try_advisory_xact_lock(lock))):
        return
    known = {alarm.line_id: alarm for alarm, _ in await open_alarms(work, kind)}
    for line_id, alarm in known.items():
        if line_id not in late:
            end_alarm(work, alarm)
    for line_id in sorted(late - set(known), key=str):
        log().warning("something waits too long", area="routing", kind=kind, line_id=str(line_id))
        await open_alarm(work, kind, line_id=line_id)
    work.announce(Topic.ALARMS)


def open_of(kind: AlarmKind) -> Select[Alarm, str]:
    """Select the open alarms of a kind with the name of their line, the oldest first."""
    return (
        select(Alarm, Line.name)
        .join(Line, Line.id == Alarm.line_id)
        .where(Alarm.ended_at.is_(None), Alarm.kind == kind)
        .order_by(Alarm.begun_at)
    )


async def open_alarms(work: Work, kind: AlarmKind) -> list[tuple[Alarm, str]]:
    """Return the open alarms of a kind, as `open_of`."""
    rows = await work.session.execute(open_of(kind))
    return [(alarm, name) for alarm, name in rows]
