"""An alarm when a message, spoken or written, waits too long for a person who takes it.

The supervisors see it on their pages, and the people on call are rung and written to, until one of
them acknowledges it or each such message of the line is taken. At night only a message of a child
in danger, or one whose words speak of danger, opens an alarm; others end at nightfall and open
again in the morning.

What a child wrote in a talk, or after it, and its counsellor has not seen waits in the same way;
if the child may be in danger, it is an alarm at once.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Select,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import aliased

from app.calls.lines.line_rows import Line
from app.calls.models import Call, VoiceMessage
from app.calls.states import CallState, Channel, MessageState
from app.chats import ended_without_counsellor, fetched
from app.chats.models import Author, Message, ReturnCode
from app.jobs.transaction import transaction
from app.routing.alarm_rows import AlarmKind
from app.routing.alarms import of_lines
from app.routing.models import Offer
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
        _UNSTAFFED,
        _since(Offer, Message.at, _DANGER)
        .join(Message, Message.call_id == Call.id)
        .where(Offer.kept_on_desk, Call.rings_only_id.is_(None), *ended_without_counsellor.UNSEEN),
    ).subquery()
    rows = await work.session.execute(
        select(
            Line.id,
            Line.plan,
            Line.timezone,
            waits.c.danger,
            func.bool_or(waits.c.at_once),
            func.min(waits.c.since),
        )
        .join(waits, waits.c.line_id == Line.id)
        .where(Line.practice.is_(False))
        .group_by(Line.id, waits.c.danger)
    )
    return list(_late(work.now, rows))


_DANGER = Call.danger | Call.alarming
# Words of danger in a conversation that is still open, and that found no counsellor: an alarm at
# once.
_UNSTAFFED = select(
    Call.line_id,
    _DANGER.label("danger"),
    true().label("at_once"),
    Call.opened_at.label("since"),
).where(
    Call.channel != literal_column(f"'{Channel.VOICE}'"),
    Call.state == literal_column(f"'{CallState.GREETING}'"),
    Call.alarming,
)


def _since(of: Any, at: Any, at_once: ColumnElement[bool] | None = None) -> Select[Any]:
    """Select the messages of a table, with their line, whether the child may be in danger, and
    whether that is an alarm at once."""
    return (
        select(
            Call.line_id,
            _DANGER.label("danger"),
            (false() if at_once is None else at_once).label("at_once"),
            at.label("since"),
        )
        .select_from(of)
        .join(Call, Call.id == of.call_id)
    )


def _late(now: datetime, rows: Any) -> Iterator[UUID]:
    for line_id, kept, zone, danger, at_once, since in rows:
        plan = read_plan(kept)
        quiet = plan.is_night(now, ZoneInfo(zone)) and not danger
        late = at_once or now - since > timedelta(seconds=plan.message_wait)
        if late and not quiet:
            yield line_id


# It stands in questions about messages: with a name of its own.
_UNSEEN = aliased(Message)


def waits(call_id: Any) -> ColumnElement[bool]:
    """Return the condition that a message of this conversation waits in the inbox, or that it is on
    a desk with words that were not seen. `call_id`: a column or an id."""
    return or_(
        exists().where(ReturnCode.call_id == call_id, ReturnCode.done_at.is_(None)),
        exists().where(
            Offer.call_id == call_id,
            Offer.kept_on_desk,
            _UNSEEN.call_id == call_id,
            _UNSEEN.author == Author.CHILD,
            _UNSEEN.seen_at.is_(None),
            _UNSEEN.erased_at.is_(None),
        ),
    )
