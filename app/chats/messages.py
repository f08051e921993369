"""The messages of a conversation: both sides write, fetch what is new, and see what was read.

Each is sealed by itself. They are numbered under the lock of the call, so that there is one order.
"""

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import delete, false, func, select

from app.calls import record
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.calls.states import CallState, Channel
from app.chats import at_once, gone, noticing, opening, sendings, worries
from app.chats.models import Author, Failure, Message, OnItsWay, ReaderKind, Sentence, Typing
from app.chats.news import announce as announce
from app.contacts import contacts
from app.database.quick import Row
from app.errors import Conflict, Invalid, NotFound, TooMany
from app.outbox.states import Sending
from app.routing import in_hand
from app.routing.supervision import supervised
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

LONGEST = 4000
# The most characters that a carrier brings in one message.
LONGEST_CARRIED = 1600
PAGE = at_once.PAGE
_MOST_A_MINUTE = 60
_MINUTE = timedelta(minutes=1)
# Messages that the end of a conversation can bring, as many as a page keeps that has no network.
MOST_LAST = 100
# A message that its carrier had this long before us is shown as one that came late.
LATE = timedelta(seconds=30)
_COLUMNS = tuple(column.key for column in Message.__table__.columns)
_CLIENT_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")


class ConversationOver(Conflict):
    default = "This conversation has ended. Begin a new one."


class TooFast(TooMany):
    default = "These are many messages at once. Wait a moment, then send it again."


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


class Before(NamedTuple):
    """What a conversation holds before a message is added."""

    last: int
    # How much the child wrote within the last minute.
    lately: int
    # Whether a message has this key already.
    known: bool


# -- writing -----------------------------------------------------------------------------------


async def say_as_child(work: Work, call_id: UUID, *, text: str, client_key: str) -> Message:
    """Add what a child wrote; also while it waits. Raises Invalid, ConversationOver."""
    plain = _checked(text, client_key, longest=LONGEST)
    # Words that speak of danger are noted with the call, so it is locked.
    if not noticing.may_alarm(plain):
        said = await at_once.say(
            work,
            call_id,
            plain,
            client_key,
            minute_ago=work.now - _MINUTE,
            most=_MOST_A_MINUTE,
            heard_since=work.now - opening.HEARD_EVERY,
        )
        if said is not None:
            return said
    call = await record.lock_call(work, call_id)
    if CallState(call.state) is not CallState.ENDED:
        call.heard_at = work.now
    blocked = call.blocked
    message = await add(work, call, Author.CHILD, text=text, client_key=client_key)
    if blocked and not call.blocked:
        # The words speak of danger: the child waits from now on, and its page shows that.
        await opening.admit_again(work, call)
    return message


async def say_as_staff(
    work: Work,
    staff: Staff,
    call_id: UUID,
    *,
    text: str,
    client_key: str,
    kind: ReaderKind = ReaderKind.SAID,
) -> Message:
    """Add what a counsellor wrote to the child, or what a supervisor whispers to the counsellor.

    The child reads what its counsellor wrote; a whisper is for staff alone. Raises NotFound,
    Invalid, ConversationOver.
    """
    if kind is ReaderKind.SAID:
        plain = _checked(text, client_key, longest=LONGEST)
        said = await at_once.say(work, call_id, plain, client_key, staff_id=staff.id)
        if said is not None:
            return said
    call = await record.lock_call(work, call_id)
    mine = call.is_written and await in_hand.has_in_hand(work, staff, call_id)
    if not mine and kind is ReaderKind.SAID:
        # The same words may come again after the end.
        known = await _known(work, call, client_key)
        if known is not None and known.staff_id == staff.id:
            return known
        raise NotYours()
    if not mine:
        await _check_supervises(work, staff, call_id)
    author = Author.COUNSELLOR if mine else Author.SUPERVISOR
    return await add(
        work, call, author, text=text, client_key=client_key, staff_id=staff.id, kind=kind
    )


async def tell(work: Work, call: Call, sentence: Sentence, key: str) -> None:
    """Tell the child something, on a locked call. The same key tells it once."""
    client_key = f"{sentence.value}-{key}"[:64]
    before = await _before(work, call, client_key)
    if not before.known:
        await _append(work, call, Author.PROGRAM, client_key, before, sentence=sentence)


async def add(
    work: Work,
    call: Call,
    author: Author,
    *,
    text: str,
    client_key: str,
    staff_id: UUID | None = None,
    kind: ReaderKind = ReaderKind.SAID,
    afterwards: bool = False,
    last: bool = False,
    sent_at: datetime | None = None,
) -> Message:
    """Add a message to a locked conversation, once for each key.

    `afterwards`: to one that has ended, for a child who comes back. `last`: one of many that come
    together as a child leaves. `sent_at`: when its carrier had it. Raises Invalid, Conflict,
    ConversationOver, TooFast.
    """
    carried = Channel(call.channel).is_carried and kind is ReaderKind.SAID
    longest = LONGEST_CARRIED if carried and author is not Author.CHILD else LONGEST
    text = _checked(text, client_key, longest=longest)
    before = await _before(work, call, client_key)
    known = await _known(work, call, client_key) if before.known else None
    if known is not None:
        if known.author != author.value or known.staff_id != staff_id:
            raise Conflict("Another message has this key. Choose a new key.")
        return known
    if CallState(call.state) is CallState.ENDED and not afterwards:
        raise ConversationOver()
    if author is Author.CHILD:
        await _check_pace(work, call, before, text, last)
        await worries.notice(work, call, (text,))
    if author is Author.COUNSELLOR and kind is ReaderKind.SAID and not afterwards:
        call.first_word_at = call.first_word_at or work.now
    return await _append(
        work,
        call,
        author,
        client_key,
        before,
        text=text,
        staff_id=staff_id,
        kind=kind,
        sent_at=sent_at if sent_at and work.now - sent_at > LATE else None,
    )


async def _check_pace(work: Work, call: Call, before: Before, text: str, last: bool) -> None:
    """Check that a child does not write faster than any child types: this needs nothing that tells
    who it is. Words of danger have a limit of their own beyond that one. Raises TooFast."""
    most = _MOST_A_MINUTE + (MOST_LAST if last else 0)
    if before.lately < most:
        return
    known = call.alarming and before.lately >= most + _MOST_A_MINUTE
    if known or await worries.find(work, call, (text,)) is None:
        raise TooFast()


def _checked(text: str, client_key: str, *, longest: int) -> str:
    """Return a text as it is kept. Raises Invalid."""
    text = text.strip()
    if not text or len(text) > longest or "\x00" in text:
        raise Invalid("Write 1 to %(longest)s characters.", longest=longest)
    if not _CLIENT_KEY.fullmatch(client_key):
        raise Invalid(
            "Send a key with each message: 8 to 64 letters, digits, hyphens or underscores."
        )
    return text


async def _before(work: Work, call: Call, client_key: str) -> Before:
    """Return what is asked of a locked conversation before a message is added, at once."""
    by_child = Message.author == Author.CHILD
    row = await work.session.execute(
        select(
            func.coalesce(func.max(Message.number), 0),
            func.count().filter(by_child, Message.at > work.now - _MINUTE),
            func.coalesce(func.bool_or(Message.client_key == client_key), false()),
        ).where(Message.call_id == call.id)
    )
    return Before._make(row.one())


async def last_of(work: Work, call: Call, author: Author) -> int:
    """Return the number of the last message of a conversation by an author; 0 if there is none."""
    last = select(func.coalesce(func.max(Message.number), 0)).where(
        Message.call_id == call.id, Message.author == author
    )
    return await work.session.scalar(last) or 0


async def _known(work: Work, call: Call, client_key: str) -> Message | None:
    found: Message | None = await work.session.scalar(
        select(Message).where(Message.call_id == call.id, Message.client_key == client_key)
    )
    return found


async def _append(
    work: Work,
    call: Call,
    author: Author,
    client_key: str,
    before: Before,
    *,
    text: str | None = None,
    sentence: Sentence | None = None,
    staff_id: UUID | None = None,
    kind: ReaderKind = ReaderKind.SAID,
    sent_at: datetime | None = None,
) -> Message:
    message_id = uuid4()
    message = Message(
        id=message_id,
        call_id=call.id,
        number=before.last + 1,
        author=author.value,
        kind=kind.value,
        staff_id=staff_id,
        text_sealed=_sealed(work, message_id, text) if text is not None else None,
        sentence=sentence.value if sentence else None,
        client_key=client_key,
        at=work.now,
        sent_at=sent_at,
    )
    work.session.add(message)
    await work.session.flush()
    await record.record(
        work,
        call,
        CallLog.MESSAGE_WRITTEN,
        number=message.number,
        author=author.value,
        whisper=kind is ReaderKind.WHISPER or None,
    )
    await work.session.execute(
        delete(Typing)
        .where(Typing.call_id == call.id, Typing.author == author.value)
        .execution_options(synchronize_session=False)
    )
    if Channel(call.channel).is_carried and author is not Author.CHILD and kind is ReaderKind.SAID:
        sendings.want(work, call, message.id)
    await announce(work, call.id, author)
    return message


def _sealed(work: Work, message_id: UUID, text: str) -> bytes:
    return work.keys.seal(
        text.encode(), table="chat_messages", column="text_sealed", row=message_id
    )


# -- reading -----------------------------------------------------------------------------------


async def read_as_child(work: Work, call_id: UUID, after: int = 0) -> list[ShownMessage]:
    """Return what was said after a number, and note that it was delivered to the child."""
    found = await at_once.read_as_child(work, call_id, after, work.now)
    return [opened_row(work, row) for row in found.messages] if found else []


async def read_as_staff(
    work: Work, staff: Staff, call_id: UUID, after: int = 0
) -> list[ShownMessage]:
    """Return what was said and whispered after a number.

    What the counsellor of the conversation fetches is delivered. Any other reader is logged first:
    a supervisor who reads along, and people who may read the contact. Raises NotYours.
    """
    held = await at_once.read_as_holder(work, staff.id, call_id, after)
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
    """Return what was said in a conversation; who asks has been checked and logged."""
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
    await _check_supervises(work, staff, call_id)


async def _check_supervises(work: Work, staff: Staff, call_id: UUID) -> None:
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
    await at_once.see_as_child(work, call_id, number)


async def see_as_staff(
    work: Work, staff: Staff, call_id: UUID, number: int, *, away: bool = False
) -> None:
    """Note that the counsellor has seen the messages up to a number.

    `away`: when the child has left, also put the conversation away, if that was its last word.
    Raises NotYours.
    """
    if await at_once.see_as_holder(work, staff.id, call_id, number):
        return
    if not away or not await gone.put_away(work, staff, call_id, number):
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
