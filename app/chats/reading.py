"""Reading a conversation, for each side: what is new, and what was seen."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from app.calls.sentences import Sentence
from app.calls.states import Channel
from app.chats import ended_without_counsellor, sendings, statements
from app.chats.carrier_rows import OnItsWay
from app.chats.models import Author, Failure, Message, ReaderKind
from app.contacts import contacts
from app.database.quick import Row
from app.errors import NotFound
from app.outbox.states import Sending
from app.routing.supervision import supervised
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

PAGE = statements.PAGE
_COLUMNS = tuple(column.key for column in Message.__table__.columns)


class NotYours(NotFound):
    default = "Not found, or not a conversation of yours."


class ShownMessage(NamedTuple):
    """A message as its reader sees it: words, or what the program says."""

    id: UUID
    number: int
    author: Author
    kind: ReaderKind
    words: str | None
    sentence: Sentence | None
    staff_id: UUID | None
    client_key: str | None
    at: datetime
    delivered_at: datetime | None
    seen_at: datetime | None
    erased: bool
    # Why it did not reach the child, if a carrier brings it.
    failure: Failure | None = None
    # How far its sending by a carrier is.
    on_its_way: OnItsWay | None = None
    # When its carrier had it, if that was well before it was brought to us.
    sent_at: datetime | None = None
    # A picture or a voice note may have come with it.
    carried: bool = True


async def read_as_staff(
    work: Work, staff: Staff, call_id: UUID, after: int = 0
) -> list[ShownMessage]:
    """Return what was said and whispered after a number.

    What the counsellor of the conversation fetches is delivered. Any other reader is logged first:
    a supervisor who reads along, and people who may read the contact. Raises NotYours.
    """
    held = await statements.read_as_holder(work, staff.id, call_id, after)
    if held is not None:
        carried = Channel(held.facts["channel"]).is_carried
        return [opened_row(work, row, carried=carried) for row in held.messages]
    await check_may_read(work, staff, call_id)
    found = await _read(work, call_id, after)
    if after == 0 or found:
        await write_reading(work, AuditLog.CONVERSATION_READ, str(call_id))
    return await _opened_all(work, found)


async def read_whole(work: Work, staff: Staff, call_id: UUID) -> list[ShownMessage]:
    """Return all that was said and whispered in a conversation of a contact that may be read.

    The reading is logged first. Raises NotYours.
    """
    await check_may_read(work, staff, call_id)
    await write_reading(work, AuditLog.CONVERSATION_READ, str(call_id), whole=True)
    return await all_of(work, call_id)


async def all_of(work: Work, call_id: UUID) -> list[ShownMessage]:
    """Return what was said in a conversation. The caller has checked and logged the reader."""
    found: list[Message] = []
    while page := await _read(work, call_id, found[-1].number if found else 0):
        found += page
        if len(page) < PAGE:
            break
    return await _opened_all(work, found)


async def some_of(work: Work, call_id: UUID, numbers: Collection[int]) -> list[ShownMessage]:
    """Return messages of a conversation by their numbers, in their order; nothing is delivered by
    this, and that their reader may read them has been checked."""
    rows = await work.session.scalars(
        select(Message)
        .where(Message.call_id == call_id, Message.number.in_(numbers))
        .order_by(Message.number)
    )
    return [opened(work, one) for one in rows]


async def check_may_read(work: Work, staff: Staff, call_id: UUID) -> None:
    """Check that a person may read a conversation that is not on their desk. Raises NotYours."""
    if await contacts.contact_of_call(work, staff, call_id) is not None:
        return
    await check_supervises(work, staff, call_id)


async def check_supervises(work: Work, staff: Staff, call_id: UUID) -> None:
    if not may(staff.role, Permission.SUPERVISE):
        raise NotYours()
    try:
        await supervised.check_supervises(work, staff, call_id)
    except NotFound:
        raise NotYours() from None


async def _read(work: Work, call_id: UUID, after: int) -> list[Message]:
    rows = await work.session.scalars(
        select(Message)
        .where(Message.call_id == call_id, Message.number > after)
        .order_by(Message.number)
        .limit(PAGE)
    )
    return list(rows)


async def see_as_child(work: Work, call_id: UUID, number: int) -> None:
    """Note that the child has seen the messages up to a number. May run twice."""
    await statements.see_as_child(work, call_id, number)


async def see_as_staff(
    work: Work, staff: Staff, call_id: UUID, number: int, *, away: bool = False
) -> None:
    """Note that the counsellor has seen the messages up to a number.

    `away`: when the child has left, also put the conversation away, if that was its last word.
    Raises NotYours.
    """
    if await statements.see_as_holder(work, staff.id, call_id, number):
        return
    if not away or not await ended_without_counsellor.put_away(work, staff, call_id, number):
        raise NotYours()


async def _opened_all(work: Work, found: list[Message]) -> list[ShownMessage]:
    """Return messages with their words, and how far those are that a carrier brings."""
    on_their_way = await sendings.on_their_way(work, [one.id for one in found])
    return [
        opened(work, one)._replace(on_its_way=_on_its_way(*on_their_way.get(one.id, (None, None))))
        for one in found
    ]


def _on_its_way(sending: str | None, held_at: datetime | None) -> OnItsWay | None:
    if held_at is not None:
        return OnItsWay.HELD
    return OnItsWay.SENDING if sending in (Sending.WANTED, Sending.SENDING) else None


def opened(work: Work, message: Message) -> ShownMessage:
    """Return a message with its words; that its reader may read it has been checked."""
    return opened_row(work, {name: getattr(message, name) for name in _COLUMNS})


def opened_row(work: Work, row: Row, *, carried: bool = True) -> ShownMessage:
    """Do the same for a row as the driver returns it."""
    sealed, words = row["text_sealed"], None
    if sealed is not None:
        words = work.keys.open(
            sealed, table="chat_messages", column="text_sealed", row=row["id"]
        ).decode()
    return ShownMessage(
        row["id"],
        row["number"],
        Author(row["author"]),
        ReaderKind(row["kind"]),
        words,
        Sentence(row["sentence"]) if row["sentence"] else None,
        row["staff_id"],
        row["client_key"] if row["author"] == Author.CHILD else None,
        row["at"],
        row["delivered_at"],
        row["seen_at"],
        row["erased_at"] is not None,
        Failure(row["failure"]) if row["failure"] else None,
        _on_its_way(row.get("sending"), row.get("held_at")),
        row["sent_at"],
        carried,
    )
