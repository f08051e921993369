"""An alarm when a call-back was not made at the time that was agreed.

It is made when the child's phone was rung. The supervisors see the alarm on their pages, and the
people on call are rung and written to, until one of them acknowledges it or each such call-back of
the line is made, agreed anew, cancelled, or closed. At night only that of a child in danger is one.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import aliased

from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.calls.states import NOT_RUNG, CallState
from app.jobs.transaction import transaction
from app.routing.alarm_rows import AlarmKind
from app.routing.alarms import of_lines
from app.routing.callbacks.callback_rows import OPEN, Callback, CallbackState
from app.routing.plan import read_plan
from app.work import PROGRAM, Ground, Work

_LOCK = 710042


async def watch_callbacks(ground: Ground) -> None:
    """Open an alarm for each line with an overdue call-back, and end those that are over."""
    async with transaction(ground, PROGRAM) as work:
        await look_at_callbacks(work)


async def look_at_callbacks(work: Work) -> None:
    """Compare the call-backs that were not made with the limits of their lines."""
    late = set(await _late_lines(work))
    await of_lines.settle(work, AlarmKind.CALLBACK_NOT_MADE, late, _LOCK)


async def _late_lines(work: Work) -> list[UUID]:
    """Return the lines with a call-back that is later than their plan allows."""
    made = aliased(Call)
    rings_now = exists().where(
        made.callback_id == Callback.id,
        made.state != CallState.ENDED,
        made.sending.not_in(NOT_RUNG),
    )
    rows = await work.session.execute(
        select(Line.id, Line.plan, Line.timezone, Call.danger, func.min(Callback.first_due_until))
        .join(Callback, Callback.line_id == Line.id)
        .join(Call, Call.id == Callback.call_id)
        .where(
            Line.practice.is_(False),
            Callback.attempts == 0,
            Callback.done_by.is_(None),
            or_(Callback.state.in_(OPEN), Callback.state == CallbackState.GIVEN_UP),
            # One whose number was erased cannot be made any more.
            Callback.number_sealed.is_not(None),
            Callback.first_due_until < work.now,
            ~rings_now,
        )
        .group_by(Line.id, Call.danger)
    )
    return list(_late(work.now, rows))


def _late(now: datetime, rows: Any) -> Iterator[UUID]:
    for line_id, kept, zone, danger, agreed in rows:
        plan = read_plan(kept)
        quiet = plan.is_night(now, ZoneInfo(zone)) and not danger
        if now - agreed > timedelta(seconds=plan.callback_wait) and not quiet:
            yield line_id
