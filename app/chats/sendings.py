"""What the helpline writes to children by carriers: wanted, held back, and what became of it.

The edge sends it: see `app/telephony/messaging/`. A row holds no word of a message.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select, update

from app.calls.models import Call
from app.chats import stopped_numbers
from app.chats.carrier_rows import Arrival, Sent
from app.chats.models import Author, Failure, Message
from app.chats.news import announce, announce_sent
from app.database.topics import Topic
from app.errors import NotFound
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.outbox.states import Sending
from app.work import PROGRAM, Ground, Work

# How long an id of a carrier is remembered: it brings nothing later than this.
_REMEMBERED = timedelta(days=31)


class DeliveryReport(StrEnum):
    """What a carrier says of a message; in this order, and none goes back."""

    ON_ITS_WAY = "on_its_way"
    DELIVERED = "delivered"
    SEEN = "seen"
    FAILED = "failed"


_RANK = {
    DeliveryReport.ON_ITS_WAY: 0,
    DeliveryReport.FAILED: 1,
    DeliveryReport.DELIVERED: 2,
    DeliveryReport.SEEN: 3,
}


def want(work: Work, call: Call, message_id: UUID | None) -> UUID:
    """Have a message sent; without one, the approved text that asks the child to write."""
    sent_id = message_id or uuid4()
    work.session.add(Sent(id=sent_id, call_id=call.id, message_id=message_id, wanted_at=work.now))
    work.defer(Task.SEND_TO_CHILD, sent_id=str(sent_id))
    return sent_id


async def is_after_another(work: Work, sent: Sent) -> bool:
    """Return whether an earlier message of the conversation is still on its way: they arrive in
    the order in which they were written."""
    if sent.message_id is None:
        return False
    number = select(Message.number).where(Message.id == sent.message_id).scalar_subquery()
    earlier = (
        select(Sent.id)
        .join(Message, Message.id == Sent.message_id)
        .where(
            Sent.call_id == sent.call_id,
            Message.number < number,
            Sent.sending.in_((Sending.WANTED, Sending.SENDING)),
            Sent.held_at.is_(None),
        )
        .limit(1)
    )
    return await work.session.scalar(earlier) is not None


async def hold(work: Work, call: Call, sent: Sent) -> None:
    """Hold a message until the child writes, and ask for that once for all that are held."""
    asked = (
        select(Sent.id)
        .join(Call, Call.id == Sent.call_id)
        .where(
            Sent.message_id.is_(None),
            Call.line_id == call.line_id,
            Call.channel == call.channel,
            Call.caller_key == call.caller_key,
            Sent.wanted_at > await last_word_at(work, call),
            Sent.sending != Sending.FAILED,
        )
        .limit(1)
    )
    sent.held_at = work.now
    if await work.session.scalar(asked) is None:
        want(work, call, None)
    # Its counsellor sees that it waits.
    await announce(work, call.id)
    work.announce(Topic.MESSAGES)


async def last_word_at(work: Work, call: Call) -> datetime:
    """Return when the child of a conversation last wrote to its line by this carrier."""
    at: datetime | None = await work.session.scalar(
        select(func.coalesce(Message.sent_at, Message.at))
        .join(Call, Call.id == Message.call_id)
        .where(
            Call.line_id == call.line_id,
            Call.channel == call.channel,
            Call.caller_key == call.caller_key,
            Message.author == Author.CHILD,
        )
        .order_by(func.coalesce(Message.sent_at, Message.at).desc())
        .limit(1)
    )
    return at or call.opened_at


async def note_sent(work: Work, call: Call, sent: Sent) -> None:
    """Tell the counsellor of a message that its carrier has it."""
    if sent.message_id is not None:
        message = await work.session.get_one(Message, sent.message_id)
        await announce_sent(work, call.id, message.number)


async def on_their_way(
    work: Work, messages: Sequence[UUID]
) -> dict[UUID, tuple[str, datetime | None]]:
    """Return how far the sending of messages is, and since when those are held that wait."""
    if not messages:
        return {}
    rows = await work.session.execute(
        select(Sent.message_id, Sent.sending, Sent.held_at).where(Sent.message_id.in_(messages))
    )
    return {message_id: (sending, held_at) for message_id, sending, held_at in rows if message_id}


async def release(work: Work, call: Call) -> None:
    """Send what was held until the child of this conversation wrote."""
    for sent in await _held(work, call):
        sent.held_at = None
        work.defer(Task.SEND_TO_CHILD, sent_id=str(sent.id))


async def _held(work: Work, call: Call) -> list[Sent]:
    """Return what waits for a word of the child of a conversation, the oldest first."""
    rows = await work.session.scalars(
        select(Sent)
        .join(Call, Call.id == Sent.call_id)
        .where(
            Sent.held_at.is_not(None),
            Call.line_id == call.line_id,
            Call.channel == call.channel,
            Call.caller_key == call.caller_key,
        )
        .order_by(Sent.wanted_at)
    )
    return list(rows)


async def fail(work: Work, call: Call, sent: Sent, why: Failure, code: int | None = None) -> None:
    """Note that a message did not reach the child; its counsellor sees why."""
    sent.reported, sent.code = DeliveryReport.FAILED.value, code
    if why is Failure.OPTED_OUT and call.caller_key is not None:
        await stopped_numbers.opt_out(work, call)
    if sent.message_id is not None:
        await _mark(work, call, sent, failure=why.value)
        return
    # The text that asks for a word did not come: what waits for that word does not come either.
    for held in await _held(work, call):
        held.held_at, held.sending = None, Sending.FAILED.value
        held.reported, held.code = DeliveryReport.FAILED.value, code
        await _mark(work, call, held, failure=why.value)


async def note_report(
    work: Work,
    call: Call,
    sent: Sent,
    report: DeliveryReport,
    why: Failure | None,
    code: int | None,
) -> None:
    """Note what a carrier reports of a message, in any order and any number of times."""
    known = DeliveryReport(sent.reported) if sent.reported else None
    if known is not None and _RANK[report] <= _RANK[known]:
        return
    if report is DeliveryReport.FAILED:
        await fail(work, call, sent, why or Failure.REFUSED, code)
        return
    sent.reported = report.value
    if sent.message_id is None or report is DeliveryReport.ON_ITS_WAY:
        return
    message = await work.session.get_one(Message, sent.message_id, populate_existing=True)
    values: dict[str, object] = {"failure": None}
    values["delivered_at"] = message.delivered_at or work.now
    if report is DeliveryReport.SEEN:
        values["seen_at"] = message.seen_at or work.now
    await _mark(work, call, sent, **values)


async def _mark(work: Work, call: Call, sent: Sent, **values: object) -> None:
    await work.session.execute(
        update(Message)
        .where(Message.id == sent.message_id)
        .values(**values)
        .execution_options(synchronize_session="fetch")
    )
    await announce(work, call.id)
    work.announce(Topic.MESSAGES)


async def lock_sent(work: Work, sent_id: UUID) -> Sent:
    """Return what was sent, locked. Its call is locked before. Raises NotFound."""
    sent = await work.session.get(Sent, sent_id, with_for_update=True, populate_existing=True)
    if sent is None:
        raise NotFound("There is no such message.")
    return sent


async def forget_arrivals(ground: Ground) -> None:
    """Forget the ids of messages that came long ago."""
    async with transaction(ground, PROGRAM) as work:
        await work.session.execute(delete(Arrival).where(Arrival.at < work.now - _REMEMBERED))
