"""An alarm when a message, spoken or written, waits too long for a person who takes it.

The supervisors see it on their pages, and the people on call are rung and written to, until one of
them acknowledges it or each such message of the line is taken. At night only a message of a child
in danger opens an alarm; others end at nightfall and open again in the morning.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select, union_all

from app.calls.line_rows import Line
from app.calls.models import Call, VoiceMessage
from app.calls.states import MessageState
from app.chats.models import ReturnCode
from app.database.topics import Topic
from app.jobs.transaction import transaction
from app.log import log
from app.routing.alarm_rows import Alarm, AlarmKind
from app.routing.plan import read_plan
from app.routing.rota.watch import end_alarm, open_alarm
from app.work import PROGRAM, Ground, Work

_LOCK = 710038
_KIND = AlarmKind.MESSAGE_NOT_TAKEN


async def watch_messages(ground: Ground) -> None:
    """Open an alarm for each line whose messages wait too long, and end those that are over."""
    async with transaction(ground, PROGRAM) as work:
        await look_at_messages(work)


async def look_at_messages(work: Work) -> None:
    """Compare the messages that no person has taken with the limits of their lines."""
    late = set(await _late_lines(work))
    if late == {alarm.line_id for alarm, _ in await open_alarms(work)}:
        return
    # Two workers that look at the same time would open each alarm twice.
    if not await work.session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
        return
    known = {alarm.line_id: alarm for alarm, _ in await open_alarms(work)}
    for line_id, alarm in known.items():
        if line_id not in late:
            end_alarm(work, alarm)
    for line_id in sorted(late - set(known), key=str):
        log().warning("a message waits too long", area="chats", line_id=str(line_id))
        await open_alarm(work, line_id=line_id, kind=_KIND.value)
    work.announce(Topic.ALARMS)


async def _late_lines(work: Work) -> list[UUID]:
    """Return the lines of which a message waits longer than their plan allows."""
    waits = union_all(
        _since(VoiceMessage, VoiceMessage.created_at).where(
            VoiceMessage.taken_at.is_(None),
            VoiceMessage.heard_at.is_(None),
            VoiceMessage.state != MessageState.ABSENT,
        ),
        _since(ReturnCode, ReturnCode.made_at).where(
            ReturnCode.taken_at.is_(None), ReturnCode.done_at.is_(None)
        ),
    ).subquery()
    rows = await work.session.execute(
        select(Line.id, Line.plan, Line.timezone, waits.c.danger, func.min(waits.c.since))
        .join(waits, waits.c.line_id == Line.id)
        .where(Line.practice.is_(False))
        .group_by(Line.id, waits.c.danger)
    )
    return list(_late(work.now, rows))


def _since(of: Any, at: Any) -> Select[Any]:
    """Select the messages of a table, with their line and whether the child was in danger."""
    return select(Call.line_id, Call.danger, at.label("since")).join(Call, Call.id == of.call_id)


def _late(now: datetime, rows: Any) -> Iterator[UUID]:
    for line_id, kept, zone, danger, since in rows:
        plan = read_plan(kept)
        quiet = plan.is_night(now, ZoneInfo(zone)) and not danger
        if now - since > timedelta(seconds=plan.message_wait) and not quiet:
            yield line_id


async def open_alarms(work: Work) -> list[tuple[Alarm, str]]:
    """Return the open alarms about messages with the name of their line, the oldest first."""
    rows = await work.session.execute(
        select(Alarm, Line.name)
        .join(Line, Line.id == Alarm.line_id)
        .where(Alarm.ended_at.is_(None), Alarm.kind == _KIND)
        .order_by(Alarm.begun_at)
    )
    return [(alarm, name) for alarm, name in rows]
