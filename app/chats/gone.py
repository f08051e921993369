"""Conversations that ended without their counsellor: they stay on the desk until they were seen.

A child leaves in the middle of a sentence, and what it wrote last must not leave with it.
"""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, func, select, update

from app.calls import record
from app.calls.line_rows import Line
from app.calls.models import Call
from app.calls.states import Channel, EndedBy
from app.chats.models import Author, Message
from app.contacts.models import Contact
from app.database.topics import Topic
from app.routing.models import Offer
from app.staff.models import Staff
from app.work import Work

# What was seen and is older is in the list of forms to be written.
_SHOWN = timedelta(hours=12)
_UNSEEN_SHOWN = timedelta(days=7)
_MOST = 20


class Gone(NamedTuple):
    """A conversation whose child has left, and that its counsellor has not put away."""

    call_id: UUID
    line: str
    language: str
    channel: Channel
    danger: bool
    ended_by: EndedBy
    ended_at: datetime
    # Messages of the child that the counsellor has not seen, and the number of its last one.
    unread: int
    last: int
    contact_id: UUID | None


async def conversations(work: Work, staff: Staff) -> list[Gone]:
    """Return the conversations of a counsellor whose child has left, the latest first."""
    by_child = (Message.call_id == Call.id, Message.author == Author.CHILD)
    unread = select(func.count()).where(*by_child, Message.seen_at.is_(None))
    last = select(func.coalesce(func.max(Message.number), 0)).where(*by_child)
    rows = await work.session.execute(
        select(
            Call.id,
            func.coalesce(Line.name, ""),
            func.coalesce(Call.language, ""),
            Call.channel,
            Call.danger,
            Call.ended_by,
            Call.ended_at,
            unread.scalar_subquery(),
            last.scalar_subquery(),
            Contact.id,
        )
        .join(Offer, Offer.call_id == Call.id)
        .join(Line, Line.id == Call.line_id, isouter=True)
        .join(Contact, and_(Contact.call_id == Call.id, Contact.owner_id == staff.id), isouter=True)
        .where(
            Offer.counsellor_id == staff.id,
            Offer.kept_on_desk,
            Offer.released_at > work.now - _UNSEEN_SHOWN,
        )
        .order_by(Offer.released_at.desc())
        .limit(_MOST)
    )
    found = [
        Gone(call_id, line, language, Channel(channel), danger, EndedBy(by), *more)
        for call_id, line, language, channel, danger, by, *more in rows
    ]
    return [one for one in found if one.unread or one.ended_at > work.now - _SHOWN]


async def keep(work: Work, call: Call) -> None:
    """Put an ended conversation back on the desk of its last counsellor: words came after the
    end."""
    last = (
        select(Offer.id)
        .where(Offer.call_id == call.id, Offer.connected_at.is_not(None))
        .order_by(Offer.released_at.desc())
        .limit(1)
    )
    staff_id = await work.session.scalar(
        update(Offer)
        .where(Offer.id == last.scalar_subquery())
        .values(kept_on_desk=True)
        .returning(Offer.counsellor_id)
        .execution_options(synchronize_session=False)
    )
    if staff_id is not None:
        work.announce(Topic.CHATS.of(staff_id))


async def put_away(work: Work, staff: Staff, call_id: UUID, number: int) -> bool:
    """Note that a counsellor has seen a conversation whose child has left, up to a message, and
    take it off their desk, unless the child's words go on after that one.

    Return whether it was theirs. May run twice.
    """
    of_theirs = (Offer.call_id == call_id, Offer.counsellor_id == staff.id)
    # What comes after the end comes under the lock of the call, and puts it back.
    await record.lock_call(work, call_id)
    kept = await work.session.scalar(
        select(Offer.id).where(*of_theirs, Offer.kept_on_desk).with_for_update()
    )
    if kept is None:
        theirs = select(Offer.id).where(
            *of_theirs, Offer.connected_at.is_not(None), Offer.released_at.is_not(None)
        )
        return await work.session.scalar(theirs.limit(1)) is not None
    unseen = (
        Message.call_id == call_id,
        Message.author == Author.CHILD,
        Message.seen_at.is_(None),
    )
    await work.session.execute(
        update(Message)
        .where(*unseen, Message.number <= number)
        .values(seen_at=work.now, delivered_at=func.coalesce(Message.delivered_at, work.now))
        .execution_options(synchronize_session=False)
    )
    if await work.session.scalar(select(Message.id).where(*unseen).limit(1)) is None:
        await work.session.execute(
            update(Offer)
            .where(Offer.id == kept)
            .values(kept_on_desk=False)
            .execution_options(synchronize_session=False)
        )
    work.announce(Topic.CHATS.of(staff.id))
    return True
