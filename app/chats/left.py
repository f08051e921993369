"""A child leaves a message when no counsellor is there, and comes back for the answer with a code.

The code is made of the conversation's id with a key of the helpline, so that a repeated request
gets the same one, and only a hash is stored.
"""

import base64
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select, update

from app.calls import record
from app.calls.line_rows import Line
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.calls.states import CallState, EndedBy
from app.chats import messages
from app.chats.models import Access, Author, Feedback, Message, ReturnCode
from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotFound
from app.routing import offers
from app.staff.audit import write_entry, write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

# Twenty digits: they can be said and written in every language. 66 bits.
_GROUPS, _DIGITS = 5, 4


class WrongCode(NotFound):
    default = "No message was found for this code. Check each digit, or write to us again."


class Left(NamedTuple):
    """A message that waits for an answer."""

    call_id: UUID
    line: str
    language: str
    danger: bool
    left_at: datetime
    until_at: datetime
    answered: bool


async def leave_message(work: Work, call_id: UUID, *, text: str, client_key: str) -> str:
    """Keep what a child wrote when no counsellor was there, end the conversation, and return the
    code. May run twice. Raises Conflict in a talk, Invalid."""
    call = await record.lock_call(work, call_id)
    code = _code_of(work, call_id)
    if call.messages:
        return code
    if CallState(call.state) is CallState.CONNECTED:
        raise Conflict("A counsellor is here. Write to them.")
    if CallState(call.state) is CallState.ENDED:
        raise messages.ConversationOver()
    await messages.add(work, call, Author.CHILD, text=text, client_key=client_key)
    await keep(work, call)
    return code


async def keep(work: Work, call: Call) -> None:
    """End a locked conversation without a talk, and keep it as a message that waits for an
    answer."""
    call.messages = 1
    await record.record(work, call, CallLog.MESSAGE_LEFT)
    work.session.add(
        ReturnCode(
            call_id=call.id,
            code_key=_key(work, _code_of(work, call.id)),
            made_at=work.now,
            until_at=work.now + timedelta(days=work.settings.chat_code_days),
        )
    )
    await offers.end_call(work, call, ended_by=EndedBy.CALLER)
    work.announce(Topic.MESSAGES, Topic.CHATS.of(call.id))


def _code_of(work: Work, call_id: UUID) -> str:
    made = int.from_bytes(work.keys.session_key(f"chat code:{call_id}")[:16], "big")
    digits = f"{made % 10 ** (_GROUPS * _DIGITS):0{_GROUPS * _DIGITS}d}"
    return " ".join(digits[n : n + _DIGITS] for n in range(0, len(digits), _DIGITS))


def _key(work: Work, code: str) -> bytes:
    return work.keys.session_key(f"chat code given:{code}")


async def return_by_code(work: Work, code: str) -> tuple[UUID, str]:
    """Return the conversation of a code, and a new secret for it; the earlier one is void.

    Raises WrongCode.
    """
    digits = "".join(c for c in code if c.isdecimal())
    if len(digits) != _GROUPS * _DIGITS:
        raise WrongCode()
    plain = "".join(str(int(c)) for c in digits)
    spaced = " ".join(plain[n : n + _DIGITS] for n in range(0, len(plain), _DIGITS))
    found = await work.session.scalar(
        select(ReturnCode)
        .where(ReturnCode.code_key == _key(work, spaced), ReturnCode.until_at > work.now)
        .with_for_update()
    )
    if found is None:
        raise WrongCode()
    call = await record.lock_call(work, found.call_id)
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    await work.session.execute(
        update(Access)
        .where(Access.call_id == call.id)
        .values(secret_key=work.keys.session_key(secret))
        .execution_options(synchronize_session=False)
    )
    if found.used_at is None:
        found.used_at = work.now
        await record.record(work, call, CallLog.CHILD_BACK)
    return call.id, secret


# -- for staff ---------------------------------------------------------------------------------


async def waiting(work: Work) -> list[Left]:
    """Return the messages that wait for an answer: danger first, then the oldest."""
    said = select(Message.id).where(
        Message.call_id == ReturnCode.call_id, Message.author == Author.COUNSELLOR
    )
    rows = await work.session.execute(
        select(
            ReturnCode.call_id,
            func.coalesce(Line.name, ""),
            func.coalesce(Call.language, ""),
            Call.danger,
            ReturnCode.made_at,
            ReturnCode.until_at,
            said.exists(),
        )
        .join(Call, Call.id == ReturnCode.call_id)
        .join(Line, Line.id == Call.line_id, isouter=True)
        .where(ReturnCode.done_at.is_(None))
        .order_by(Call.danger.desc(), ReturnCode.made_at)
        .limit(100)
    )
    return [Left._make(row) for row in rows]


async def read_left(work: Work, call_id: UUID) -> list[messages.Said]:
    """Return a message that was left, with its answers; the reading is logged first.

    Raises NotFound.
    """
    if await work.session.get(ReturnCode, call_id) is None:
        raise NotFound("There is no such message.")
    await write_reading(work, AuditLog.CONVERSATION_READ, str(call_id), left=True)
    return await messages.all_of(work, call_id)


async def answer(work: Work, staff: Staff, call_id: UUID, *, text: str, client_key: str) -> Message:
    """Answer a message that a child left; the child reads it when it comes back.

    Raises NotFound, Invalid, and Conflict if the message is marked as done.
    """
    call = await record.lock_call(work, call_id)
    found = await work.session.get(ReturnCode, call_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such message.")
    if found.done_at is not None:
        raise Conflict("A colleague has marked this message as done.")
    return await messages.add(
        work,
        call,
        Author.COUNSELLOR,
        text=text,
        client_key=client_key,
        staff_id=staff.id,
        afterwards=True,
    )


async def mark_done(work: Work, staff: Staff, call_id: UUID) -> None:
    """Mark a message as done. May run twice. Raises NotFound."""
    await record.lock_call(work, call_id)
    found = await work.session.get(ReturnCode, call_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such message.")
    if found.done_at is None:
        found.done_at, found.done_by = work.now, staff.id
        write_entry(work, AuditLog.WRITTEN_MESSAGE_DONE, str(call_id))
        work.announce(Topic.MESSAGES)


# -- what the child thought of it ----------------------------------------------------------------


async def rate(work: Work, call_id: UUID, *, helped: int | None, again: int | None) -> None:
    """Keep what a child thought of a talk, once and linked to nothing. Never after danger.

    Raises Conflict, Invalid.
    """
    for value in (helped, again):
        if value is not None and not 1 <= value <= 5:
            raise Invalid("Choose a number from 1 to 5.")
    call = await record.lock_call(work, call_id)
    access = await work.session.get(Access, call_id, populate_existing=True)
    talked = CallState(call.state) is CallState.ENDED and call.answered_at is not None
    if access is None or not talked or call.danger:
        raise Conflict("There is nothing to ask about this conversation.")
    if access.rated or (helped is None and again is None):
        return
    access.rated = True
    work.session.add(
        Feedback(
            id=uuid4(),
            line_id=call.line_id,
            month=work.now.date().replace(day=1),
            helped=helped,
            again=again,
        )
    )


async def forget_codes(work: Work) -> None:
    """Forget codes whose time is over, once the message is done."""
    await work.session.execute(
        delete(ReturnCode).where(ReturnCode.until_at < work.now, ReturnCode.done_at.is_not(None))
    )
