"""Adding messages to a conversation, by the child, the counsellor, or the program.

Each is sealed by itself. They are numbered under the lock of the call, so that there is one order.
"""

import re
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import delete, false, func, select

from app.calls import record
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.calls.sentences import Sentence
from app.calls.states import CallState, Channel
from app.chats import danger_marks, noticing, opening, reading, sendings, statements
from app.chats.models import Author, Message, ReaderKind, Typing
from app.chats.news import announce as announce
from app.errors import Conflict, Invalid, TooMany
from app.routing import in_hand
from app.staff.models import Staff
from app.work import Work

LONGEST = 4000
# The most characters that a carrier brings in one message.
LONGEST_CARRIED = 1600
MOST_A_MINUTE = 60
_MINUTE = timedelta(minutes=1)
# Messages that the end of a conversation can bring, as many as a page keeps that has no network.
MOST_LAST = 100
# A message that its carrier had this long before us is shown as one that came late.
LATE = timedelta(seconds=30)
_CLIENT_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")


class ConversationOver(Conflict):
    default = "This conversation has ended. Begin a new one."


class TooFast(TooMany):
    default = "These are many messages at once. Wait a moment, then send it again."


class Before(NamedTuple):
    """What a conversation holds before a message is added."""

    last: int
    # How much the child wrote within the last minute.
    lately: int
    # Whether a message has this key already.
    known: bool


async def say_as_child(work: Work, call_id: UUID, *, text: str, client_key: str) -> Message:
    """Add what a child wrote; also while it waits. Raises Invalid, ConversationOver."""
    plain = _checked(text, client_key, longest=LONGEST)
    # Words that speak of danger are noted with the call, so it is locked.
    if not noticing.may_alarm(plain):
        said = await statements.say(
            work,
            call_id,
            plain,
            client_key,
            minute_ago=work.now - _MINUTE,
            most=MOST_A_MINUTE,
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
        said = await statements.say(work, call_id, plain, client_key, staff_id=staff.id)
        if said is not None:
            return said
    call = await record.lock_call(work, call_id)
    mine = call.is_written and await in_hand.has_in_hand(work, staff, call_id)
    if not mine and kind is ReaderKind.SAID:
        # The same words may come again after the end.
        known = await _known(work, call, client_key)
        if known is not None and known.staff_id == staff.id:
            return known
        raise reading.NotYours()
    if not mine:
        await reading.check_supervises(work, staff, call_id)
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
        await danger_marks.notice(work, call, (text,))
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
    most = MOST_A_MINUTE + (MOST_LAST if last else 0)
    if before.lately < most:
        return
    known = call.alarming and before.lately >= most + MOST_A_MINUTE
    if known or await danger_marks.find(work, call, (text,)) is None:
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
