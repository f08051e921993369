"""The conversations of a counsellor, as the desk shows them: what is unread, and who waits."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, select

from app.calls.states import Channel
from app.chats import typing
from app.chats.models import Author, Kind, Message
from app.routing import desk
from app.staff.models import Staff
from app.work import Work

# A child whose page was not heard for this long is away.
_AWAY = timedelta(seconds=45)


class AtDesk(NamedTuple):
    """A conversation that a counsellor has, or that is offered to them."""

    call_id: UUID
    offer_id: UUID
    slot: int
    state: str
    line: str
    language: str
    danger: bool
    returned: bool
    unread: int
    # Since when the child waits for an answer: its first message after the counsellor's last.
    waits_since: datetime | None
    away_since: datetime | None
    last_number: int
    types: bool
    typed: str | None
    # Of an offer: the seconds in which it can be accepted.
    seconds_left: int | None
    channel: Channel
    # With a scripted child: for training, and in no figure.
    practice: bool = False


async def conversations(work: Work, staff: Staff) -> list[AtDesk]:
    """Return the conversations that a counsellor has and is offered, by slot."""
    found = await desk.conversations_of(work, staff)
    calls = [one.call.id for one in found]
    if not calls:
        return []
    counts = await _counts(work, calls)
    typed = await typing.typed_in(work, calls, Author.COUNSELLOR)
    return [
        _at_desk(work.now, one, counts.get(one.call.id), typed.get(one.call.id)) for one in found
    ]


def _at_desk(
    now: datetime, one: desk.Conversation, counted: Any, typed: typing.Types | None
) -> AtDesk:
    call, offer = one.call, one.offer
    assert offer.slot is not None
    # Before it is accepted, a counsellor sees no more of a conversation than of a call.
    mine = not one.is_offered
    # By a carrier, and for a scripted child, there is no page that could be open or closed.
    is_page = Channel(call.channel) is Channel.WEB and call.rings_only_id is None
    types = typed if mine else None
    left = max(0, int((offer.expires_at - now).total_seconds()))
    return AtDesk(
        call_id=call.id,
        offer_id=offer.id,
        slot=offer.slot,
        state=offer.state,
        line=one.line,
        language=call.language or "",
        danger=call.danger,
        returned=call.returned > 0,
        unread=counted.unread if mine and counted else 0,
        waits_since=counted.waits_since if mine and counted else None,
        away_since=call.heard_at if is_page and now - call.heard_at > _AWAY else None,
        last_number=counted.last if mine and counted else 0,
        types=types is not None,
        typed=types.words if types else None,
        seconds_left=left if one.is_offered else None,
        channel=Channel(call.channel),
        practice=one.practice,
    )


async def _counts(work: Work, calls: list[UUID]) -> dict[UUID, Any]:
    """Return, per conversation: unseen messages, the first unanswered one, and the last number."""
    answered = (
        select(Message.call_id, func.max(Message.number).label("number"))
        .where(
            Message.call_id.in_(calls),
            Message.author == Author.COUNSELLOR,
            Message.kind == Kind.SAID,
        )
        .group_by(Message.call_id)
        .subquery()
    )
    by_child = Message.author == Author.CHILD
    rows = await work.session.execute(
        select(
            Message.call_id,
            func.count().filter(by_child, Message.seen_at.is_(None)).label("unread"),
            func.min(Message.at)
            .filter(by_child, Message.number > func.coalesce(answered.c.number, 0))
            .label("waits_since"),
            func.max(Message.number).label("last"),
        )
        .join(answered, answered.c.call_id == Message.call_id, isouter=True)
        .where(Message.call_id.in_(calls))
        .group_by(Message.call_id)
    )
    return {row.call_id: row for row in rows}
