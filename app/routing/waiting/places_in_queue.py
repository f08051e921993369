"""Who waits in the queue, and in which place."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Boolean, Text, Uuid, bindparam, func, or_, select

from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.calls.states import CallState, Channel, Direction
from app.database.quick import Question, is_one_of
from app.jobs.transaction import rows_of
from app.routing.waiting.last_counsellor import LAST_WITH, if_there
from app.work import Work


class WaitingCall(NamedTuple):
    """A row of the desk's queue, without anything that identifies the caller."""

    id: UUID
    line: str
    language: str
    priority: int
    danger: bool
    returned: bool
    back: bool
    being_offered: bool
    queued_at: datetime
    channel: str = Channel.VOICE
    # Words of a child who writes speak of danger, and which, sealed.
    alarming: bool = False
    danger_words_sealed: bytes | None = None


# Built once: every change of the queue sends it.
WAITING = (
    select(
        Call.id,
        func.coalesce(Line.name, ""),
        func.coalesce(Call.language, ""),
        Call.priority,
        Call.danger,
        Call.returned > 0,
        Call.direction == Direction.OUTBOUND,
        Call.state == CallState.OFFERED,
        func.coalesce(Call.queued_at, Call.opened_at),
        Call.channel,
        Call.alarming,
        Call.danger_words_sealed,
    )
    .join(Line, Line.id == Call.line_id, isouter=True)
    .where(
        is_one_of(Call.state, (CallState.QUEUED, CallState.OFFERED)),
        Call.rings_only_id.is_(None),
    )
    .order_by(Call.ranked_at, Call.id)
    .limit(500)
)
_WAITING = Question(WAITING)


async def waiting_calls(work: Work) -> list[WaitingCall]:
    """Return the waiting calls in the order in which they will be served, at most 500."""
    rows = await rows_of(work, _WAITING)
    return [WaitingCall._make(row.values()) for row in rows]


# All waits end at the same now, so ordering by wait + priority is ordering by arrival - priority.
# This counts callers of the same line and language, and children in danger on the line; for a
# written conversation those who write, because counsellors have several of them at once.
_AHEAD = select(func.count()).where(
    Call.state == CallState.QUEUED,
    Call.line_id.is_not_distinct_from(bindparam("line_id", type_=Uuid())),
    (Call.channel == Channel.VOICE) == bindparam("spoken", type_=Boolean()),
    or_(Call.danger, Call.language.is_not_distinct_from(bindparam("language", type_=Text()))),
    Call.id != bindparam("call_id"),
    Call.ranked_at < bindparam("mine"),
)
_PLACE = Question(
    select(
        _AHEAD.scalar_subquery().label("ahead"),
        LAST_WITH.scalar_subquery().label("counsellor_id"),
    )
)


async def place_of(work: Work, call: Call) -> tuple[int, UUID | None]:
    """Return how many callers will be served before this one, and whom this one may ask for."""
    assert call.queued_at is not None
    (row,) = await work.ground.database.quick.rows(
        _PLACE,
        mine=call.queued_at - timedelta(seconds=call.priority),
        line_id=call.line_id,
        spoken=not call.is_written,
        language=call.language,
        call_id=call.id,
        key=call.caller_key,
    )
    return row["ahead"], await if_there(work, call, row["counsellor_id"])
