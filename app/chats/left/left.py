"""A child leaves a message when no counsellor is there, and comes back for the answer with a code.

The code is made of the conversation's id with a key of the helpline, so that a repeated request
gets the same one, and only a hash is stored.
"""

import base64
import contextlib
import secrets
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select, update

from app.calls import record
from app.calls.log_kinds import CallLog, Cause
from app.calls.models import Call
from app.calls.sentences import Sentence
from app.calls.states import CallState, EndedBy
from app.chats import danger_marks, messages
from app.chats.left import kept
from app.chats.models import Access, Author, Message, ReturnCode
from app.database.topics import Topic
from app.errors import Conflict, NotFound
from app.routing import releasing
from app.routing.responsible import pick_owner
from app.staff.roles import Permission
from app.work import Work

# Twenty digits: they can be said and written in every language. 66 bits.
_GROUPS, _DIGITS = 5, 4


class WrongCode(NotFound):
    default = "No message was found for this code. Check each digit, or write to us again."


async def leave_message(work: Work, call_id: UUID, *, text: str, client_key: str) -> str:
    """Keep what a child wrote when no counsellor was there, end the conversation, and return the
    code. May run twice. Raises Conflict in a talk, Invalid."""
    call = await record.lock_call(work, call_id)
    code = _code_of(work, call_id)
    if call.messages:
        # It was kept meanwhile, and these words may be new: they are said once.
        before = await messages.last_of(work, call, Author.CHILD)
        await messages.add(
            work, call, Author.CHILD, text=text, client_key=client_key, afterwards=True
        )
        if await messages.last_of(work, call, Author.CHILD) > before:
            await kept.wait_again(work, call)
        await tell_code(work, call_id)
        return code
    if CallState(call.state) is CallState.CONNECTED:
        raise Conflict("A counsellor is here. Write to them.")
    if call.blocked:
        await danger_marks.notice(work, call, (text,))
    if call.blocked:
        raise Conflict("We cannot write with you here now. Say if you are in danger.")
    over = CallState(call.state) is CallState.ENDED
    if over and (call.answered_at is not None or not may_be_read(call)):
        raise messages.ConversationOver()
    await messages.add(work, call, Author.CHILD, text=text, client_key=client_key, afterwards=over)
    await (keep_late if over else keep)(work, call, told=True)
    return code


def may_be_read(call: Call) -> bool:
    """Return whether a person reads what comes after the end: in a talk, or as a message. A
    scripted child has nothing to leave, and a blocked number was told so."""
    if call.answered_at is not None or call.messages > 0:
        return True
    return call.is_written and call.rings_only_id is None and not call.blocked


async def holds_unread(work: Work, call: Call) -> bool:
    """Return whether a locked conversation without a counsellor holds words that none has seen. One
    that is blocked was told that nothing is read but danger."""
    if call.rings_only_id is not None or not call.is_written or call.blocked:
        return False
    if CallState(call.state) in (CallState.CONNECTED, CallState.ENDED):
        return False
    by_child = select(Message.id).where(
        Message.call_id == call.id,
        Message.author == Author.CHILD,
        Message.seen_at.is_(None),
        Message.erased_at.is_(None),
    )
    return await work.session.scalar(by_child.limit(1)) is not None


async def keep(work: Work, call: Call, by: EndedBy = EndedBy.CALLER, *, told: bool = False) -> None:
    """End a locked conversation without a talk, and keep it as a message that waits for an
    answer. `told`: its child is given the code with this."""
    await _keep(work, call, told)
    await releasing.end_call(work, call, ended_by=by)


async def keep_late(work: Work, call: Call, *, told: bool = False) -> None:
    """Do the same for a conversation that had ended without a talk and without words, when words
    of its child have come after all."""
    await _keep(work, call, told)
    await record.restate(work, call, Cause.MESSAGE_HEARD_LATE)


async def _keep(work: Work, call: Call, told: bool) -> None:
    call.messages = 1
    await record.record(work, call, CallLog.MESSAGE_LEFT)
    owner_id = None
    with contextlib.suppress(NotFound):
        # It is a task from the first moment, though every team sees it until a person takes it.
        owner_id = (await pick_owner(work, Permission.HEAR_MESSAGES)).id
    work.session.add(
        ReturnCode(
            call_id=call.id,
            code_key=_key(work, _code_of(work, call.id)),
            made_at=work.now,
            waits_since=work.now,
            owner_id=owner_id,
            until_at=work.now + timedelta(days=work.settings.chat_code_days),
            told_at=work.now if told else None,
        )
    )
    if told:
        await record.record(work, call, CallLog.CODE_GIVEN)
    work.announce(Topic.MESSAGES, Topic.CHATS.of(call.id))


async def answered_in(work: Work, call: Call) -> int | None:
    """Return the number of the counsellor's word if that is the last one of a conversation."""
    theirs = await messages.last_of(work, call, Author.COUNSELLOR)
    return theirs if theirs > await messages.last_of(work, call, Author.CHILD) else None


async def came_again(work: Work, call: Call, answer: int | None, *, again: bool = False) -> None:
    """Let a message wait again, because its child has just written more, on a locked conversation.

    `answer`: the number of the answer that was the last word until then. It waits for every team as
    at first: the person who answered may be off duty. The child is told that again, once for each
    answer. `again`: it waits for every team also if it was only taken.
    """
    if answer is not None or again:
        await kept.wait_again(work, call)
    if answer is not None:
        await messages.tell(work, call, Sentence.CLOSED, f"{call.id}-{answer}")
    work.announce(Topic.MESSAGES)


async def tell_code(work: Work, call_id: UUID) -> str:
    """Return the code of what a child wrote before any counsellor came, to its page that is still
    there, or is there again. May run twice.

    Raises NotFound, and Conflict if the message is done: there will be no answer.
    """
    call = await record.lock_call(work, call_id)
    found = await work.session.get(ReturnCode, call_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such message.")
    if found.done_at is not None:
        raise Conflict("A colleague has marked this message as done.")
    if found.told_at is None:
        found.told_at = work.now
        await record.record(work, call, CallLog.CODE_GIVEN)
        work.announce(Topic.MESSAGES)
    return _code_of(work, call_id)


def _code_of(work: Work, call_id: UUID) -> str:
    made = int.from_bytes(work.keys.text_key(f"chat code:{call_id}")[:16], "big")
    digits = f"{made % 10 ** (_GROUPS * _DIGITS):0{_GROUPS * _DIGITS}d}"
    return " ".join(digits[n : n + _DIGITS] for n in range(0, len(digits), _DIGITS))


def _key(work: Work, code: str) -> bytes:
    return work.keys.text_key(f"chat code given:{code}")


async def return_by_code(work: Work, code: str) -> tuple[UUID, str]:
    """Return the conversation of a code, and a new secret for it; the earlier one is void.

    Raises WrongCode.
    """
    digits = "".join(c for c in code if c.isdecimal())
    if len(digits) != _GROUPS * _DIGITS:
        raise WrongCode()
    plain = "".join(str(int(c)) for c in digits)
    spaced = " ".join(plain[n : n + _DIGITS] for n in range(0, len(plain), _DIGITS))
    of_code = (ReturnCode.code_key == _key(work, spaced), ReturnCode.until_at > work.now)
    call_id = await work.session.scalar(select(ReturnCode.call_id).where(*of_code))
    if call_id is None:
        raise WrongCode()
    # The conversation first, as all verbs do.
    call = await record.lock_call(work, call_id)
    found: ReturnCode | None = await work.session.scalar(
        select(ReturnCode)
        .where(ReturnCode.call_id == call_id, *of_code)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise WrongCode()
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    await work.session.execute(
        update(Access)
        .where(Access.call_id == call.id)
        .values(secret_key=work.keys.session_key(secret), given_at=work.now)
        .execution_options(synchronize_session=False)
    )
    if found.used_at is None:
        found.used_at = work.now
        await record.record(work, call, CallLog.CHILD_BACK)
    return call.id, secret


async def forget_codes(work: Work) -> None:
    """Forget codes whose time is over, once the message is done.

    While the caller is known, the row stays that says whose message it was: without it every team
    would see that caller. Its code, made of the conversation's id, opens nothing.
    """
    no_caller = select(Call.id).where(Call.caller_key.is_(None))
    await work.session.execute(
        delete(ReturnCode)
        .where(ReturnCode.until_at < work.now, ReturnCode.done_at.is_not(None))
        .where(ReturnCode.call_id.in_(no_caller))
        .execution_options(synchronize_session=False)
    )
