"""An alarm when a message, spoken or written, waits too long for a person who takes it.

The supervisors see it on their pages, and the people on call are rung and written to, until one of
them acknowledges it or each such message of the line is taken. At night only a message of a child
in danger, or one whose words speak of danger, opens an alarm; others end at nightfall and open
again in the morning.
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
from app.chats import fetched
from app.chats.models import ReturnCode
from app.jobs.transaction import transaction
from app.routing.alarm_rows import AlarmKind
from app.routing.alarms import of_lines
from app.routing.plan import read_plan
from app.work import PROGRAM, Ground, Work

_LOCK = 710038
_KIND = AlarmKind.MESSAGE_NOT_TAKEN


async def watch_messages(ground: Ground) -> None:
    """Open an alarm for each line whose messages wait too long, and end those that are over."""
    async with transaction(ground, PROGRAM) as work:
        await look_at_messages(work)


async def look_at_messages(work: Work) -> None:
    """Compare the messages that no person has taken with the limits of their lines."""
    # What could not even be read may be danger: it waits for nothing.
    late = {*await _late_lines(work), *await fetched.unread_lines(work)}
    await of_lines.settle(work, _KIND, late, _LOCK)


async def _late_lines(work: Work) -> list[UUID]:
    """Return the lines of which a message waits longer than their plan allows."""
    waits = union_all(
        _since(VoiceMessage, VoiceMessage.created_at).where(
            VoiceMessage.taken_at.is_(None),
            VoiceMessage.heard_at.is_(None),
            VoiceMessage.state != MessageState.ABSENT,
        ),
        _since(ReturnCode, ReturnCode.waits_since).where(
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
    """Select the messages of a table, with their line and whether the child may be in danger."""
    danger = (Call.danger | Call.alarming).label("danger")
    return select(Call.line_id, danger, at.label("since")).join(Call, Call.id == of.call_id)


def _late(now: datetime, rows: Any) -> Iterator[UUID]:
    for line_id, kept, zone, danger, since in rows:
        plan = read_plan(kept)
        quiet = plan.is_night(now, ZoneInfo(zone)) and not danger
        if now - since > timedelta(seconds=plan.message_wait) and not quiet:
            yield line_id
