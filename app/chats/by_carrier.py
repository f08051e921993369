"""Conversations with children who write by a carrier: opened, found again, and left for later.

There is no page that asks whether a counsellor is there, and no secret: the number is the way back.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute

from app.calls import callers, record
from app.calls.caller_rows import FlagKind
from app.calls.lines import finding_lines
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.calls.sentences import Sentence
from app.calls.speech import LineScript
from app.calls.states import CallState, Channel, EndedBy
from app.chats import messages, opening
from app.chats.carrier_rows import Arrival
from app.chats.left import left
from app.chats.models import Message, ReturnCode
from app.chats.noticing import danger_in
from app.jobs.names import Task
from app.routing import releasing
from app.routing.plan import AT_RISK_PRIORITY, TEST_CALLER_PRIORITY, read_plan
from app.routing.rota import staffing
from app.work import Work

# What is written within this time of a message that waits for its answer belongs to it.
_BELONGS = timedelta(days=3)
# More new conversations of a number within an hour are not opened.
MOST_AN_HOUR = 10
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
# How often it is looked whether a counsellor can still come.
_LOOKS_EVERY = timedelta(minutes=5)


async def claim(work: Work, channel: Channel, sid: str) -> bool:
    """Note that a carrier brought a message. Return whether it is the first time."""
    fresh = await work.session.scalar(
        insert(Arrival)
        .values(channel=channel.value, sid=sid[:128], at=work.now)
        .on_conflict_do_nothing()
        .returning(Arrival.sid)
    )
    return fresh is not None


async def note_arrival(work: Work, call: Call, sid: str, ours: str | None) -> None:
    """Note to which conversation a message was added, and to which of our numbers it came."""
    await work.session.execute(
        update(Arrival)
        .where(Arrival.channel == call.channel, Arrival.sid == sid[:128])
        .values(call_id=call.id, ours=ours)
        .execution_options(synchronize_session=False)
    )


async def written_to(work: Work, call: Call) -> str | None:
    """Return the number of ours to which the child of a conversation wrote last."""
    ours: str | None = await work.session.scalar(
        select(Arrival.ours)
        .where(Arrival.call_id == call.id, Arrival.ours.is_not(None))
        .order_by(Arrival.at.desc())
        .limit(1)
    )
    return ours


async def only_one(work: Work, line: LineScript, channel: Channel, caller_key: bytes) -> None:
    """Let the messages of one number be handled one after the other."""
    what = f"{line.id}:{channel.value}:{caller_key.hex()}"
    await work.session.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(what, 710_047)))
    )


async def running(work: Work, line: LineScript, channel: Channel, caller_key: bytes) -> Call | None:
    """Return the open conversation of a number, locked."""
    call_id = await work.session.scalar(
        select(Call.id).where(
            Call.line_id == line.id,
            Call.channel == channel.value,
            Call.caller_key == caller_key,
            Call.state != CallState.ENDED,
        )
    )
    if call_id is None:
        return None
    call = await record.lock_call(work, call_id)
    return call if CallState(call.state) is not CallState.ENDED else None


async def line_written_to(
    work: Work, channel: Channel, caller_key: bytes, ours: str
) -> UUID | None:
    """Return the line of the open conversation in which a number has written to this one of ours.

    That line may be retired, or have another number now.
    """
    line_id: UUID | None = await work.session.scalar(
        select(Call.line_id)
        .join(Arrival, Arrival.call_id == Call.id)
        .where(
            Arrival.ours == ours,
            Call.channel == channel.value,
            Call.caller_key == caller_key,
            Call.state != CallState.ENDED,
        )
        .order_by(Call.opened_at.desc())
        .limit(1)
    )
    return line_id


async def has_open(work: Work, line_id: UUID, channel: Channel) -> bool:
    """Return whether a conversation of a line by a carrier is open."""
    found = select(Call.id).where(
        Call.line_id == line_id, Call.channel == channel.value, Call.state != CallState.ENDED
    )
    return await work.session.scalar(found.limit(1)) is not None


async def numbers_in_use(work: Work) -> list[tuple[str, str]]:
    """Return each number of ours to which children of open conversations wrote, by channel."""
    rows = await work.session.execute(
        select(Call.channel, Arrival.ours)
        .join(Arrival, Arrival.call_id == Call.id)
        .where(
            Call.channel != Channel.VOICE, Call.state != CallState.ENDED, Arrival.ours.is_not(None)
        )
        .distinct()
    )
    return [(channel, ours) for channel, ours in rows if ours is not None]


async def latest(work: Work, line: LineScript, channel: Channel, caller_key: bytes) -> Call | None:
    """Return the last conversation of a number, locked; it may have ended."""
    call_id = await work.session.scalar(
        select(Call.id)
        .where(
            Call.line_id == line.id,
            Call.channel == channel.value,
            Call.caller_key == caller_key,
        )
        .order_by(Call.opened_at.desc())
        .limit(1)
    )
    return await record.lock_call(work, call_id) if call_id is not None else None


async def unanswered(
    work: Work, line: LineScript, channel: Channel, caller_key: bytes
) -> Call | None:
    """Return the conversation, locked, in which a number left a message that is not done yet."""
    return await _message_of(
        work, line, channel, caller_key, ReturnCode.made_at > work.now - _BELONGS
    )


async def danger_of_this_hour(
    work: Work, line: LineScript, channel: Channel, caller_key: bytes
) -> Call | None:
    """Return the last conversation, locked, in which a number has said within the hour that it is
    in danger, if that is a message and not done yet. If it says so later, people are told anew."""
    return await _message_of(
        work, line, channel, caller_key, Call.danger, Call.opened_at > work.now - _HOUR
    )


async def _message_of(
    work: Work,
    line: LineScript,
    channel: Channel,
    caller_key: bytes,
    *wanted: ColumnElement[bool] | InstrumentedAttribute[bool],
) -> Call | None:
    """Return the conversation, locked, of the last such message of a number that is not done."""
    call_id = await work.session.scalar(
        select(ReturnCode.call_id)
        .join(Call, Call.id == ReturnCode.call_id)
        .where(
            ReturnCode.done_at.is_(None),
            Call.line_id == line.id,
            Call.channel == channel.value,
            Call.caller_key == caller_key,
            *wanted,
        )
        .order_by(ReturnCode.made_at.desc())
        .limit(1)
    )
    if call_id is None:
        return None
    call = await record.lock_call(work, call_id)
    # A colleague may have marked it as done while the lock was waited for.
    found = await work.session.get_one(ReturnCode, call_id, populate_existing=True)
    return call if found.done_at is None else None


async def had_danger_lately(
    work: Work, line: LineScript, channel: Channel, caller_key: bytes
) -> bool:
    """Return whether the child or the helpline wrote within a day in a conversation of a number
    that is about danger."""
    said = (
        select(Message.id)
        .join(Call, Call.id == Message.call_id)
        .where(
            Call.line_id == line.id,
            Call.caller_key == caller_key,
            Call.channel == channel.value,
            or_(Call.danger, Call.alarming),
            Message.at > work.now - _DAY,
        )
    )
    return await work.session.scalar(said.limit(1)) is not None


async def is_staffed(work: Work, line: LineScript, language: str, *, danger: bool = False) -> bool:
    """Return whether a counsellor who writes is there for a new conversation."""
    found = await staffing.staffing(work, line, language, danger=danger, written=True)
    return found.unstaffed is None


async def language_of(
    work: Work, line: LineScript, caller_key: bytes, wished: str | None = None
) -> str:
    """Return the language in which a number is answered: that of its last call, or the line's."""
    spoken = opening.languages_of(line)
    before = await work.session.scalar(
        select(Call.language)
        .where(Call.caller_key == caller_key, Call.language.in_(spoken))
        .order_by(Call.opened_at.desc())
        .limit(1)
    )
    return before or (wished if wished in spoken else None) or spoken[0]


async def is_flood(work: Work, line: LineScript, channel: Channel, caller_key: bytes) -> bool:
    """Return whether a number has opened as many conversations as it can by a carrier within an
    hour."""
    lately = await work.session.scalar(
        select(func.count()).where(
            Call.line_id == line.id,
            Call.caller_key == caller_key,
            Call.channel == channel.value,
            Call.opened_at > work.now - _HOUR,
        )
    )
    return (lately or 0) >= MOST_AN_HOUR


async def says_danger(
    work: Work, line: LineScript, channel: Channel, caller_key: bytes, text: str
) -> bool:
    """Return whether a text is the danger digit, from a number that knows what it means: it is
    refused now, or was told within a day that it is. From any other child it may be an age."""
    if not _is_digit(text, line.danger_digit):
        return False
    if await callers.is_blocked(work, caller_key):
        return True
    if await is_flood(work, line, channel, caller_key):
        return True
    told = (
        select(Message.id)
        .join(Call, Call.id == Message.call_id)
        .where(
            Call.line_id == line.id,
            Call.caller_key == caller_key,
            Call.channel == channel.value,
            Message.sentence.in_((Sentence.BLOCKED, Sentence.TOO_MANY)),
            Message.at > work.now - _DAY,
        )
    )
    return await work.session.scalar(told.limit(1)) is not None


def _is_digit(text: str, digit: str) -> bool:
    """Return whether a text is a digit, in whatever script and with whatever mark after it."""
    plain = text.strip().rstrip(".!")
    return plain == digit or (len(plain) == 1 and plain.isdecimal() and str(int(plain)) == digit)


def is_danger(line: LineScript, text: str, language: str) -> bool:
    """Return whether a text has words that speak of danger, in a language of a line."""
    languages = dict.fromkeys((language, *(one.language for one in line.languages)))
    return danger_in(text, tuple(languages)) is not None


async def refuse_flood(
    work: Work, line: LineScript, channel: Channel, caller_key: bytes, ours: str | None, sid: str
) -> None:
    """Tell a number once an hour that it has begun too many conversations, and what to write if it
    is in danger."""
    call = await latest(work, line, channel, caller_key)
    assert call is not None
    await note_arrival(work, call, sid, ours)
    told = select(Message.id).where(
        Message.call_id == Call.id,
        Message.sentence == Sentence.TOO_MANY,
        Message.at > work.now - _HOUR,
    )
    lately = select(Call.id).where(
        Call.line_id == line.id,
        Call.caller_key == caller_key,
        Call.channel == channel.value,
        told.exists(),
    )
    if await work.session.scalar(lately.limit(1)) is None:
        await messages.tell(work, call, Sentence.TOO_MANY, f"{call.id}-{work.now:%Y%m%d%H%M}")


async def begin(
    work: Work,
    line: LineScript,
    channel: Channel,
    address: str,
    *,
    language: str,
    says_danger: bool,
    even_if_blocked: bool = False,
) -> Call:
    """Open a conversation with a number, with what is known of it. It is not queued yet.

    `says_danger`: the child wrote the danger digit, and knows what it means. `even_if_blocked`: a
    block does not count, because the number said lately that it is in danger.
    """
    call = await record.open_conversation(
        work,
        channel=channel,
        line_id=line.id,
        language=language,
        danger=False,
        address=address,
    )
    known = await callers.known(work, call)
    call.priority = read_plan(line.plan).priority
    if FlagKind.AT_RISK in known.flags:
        call.priority += AT_RISK_PRIORITY
    if FlagKind.TEST_CALLER in known.flags:
        call.priority += TEST_CALLER_PRIORITY
    call.preferred_id, call.excluded_ids = known.prefers, sorted(known.never)
    blocked = FlagKind.BLOCKED in known.flags
    # A block does not keep out a child who says that there is danger, as in a call.
    call.blocked = blocked and not (says_danger or even_if_blocked)
    call.danger = says_danger
    call.danger_again = call.danger and await _said_danger_often(work, call)
    await record.record(
        work,
        call,
        CallLog.CONVERSATION_OPENED,
        language=language,
        danger=call.danger,
        again=call.danger_again or None,
    )
    return call


async def _said_danger_often(work: Work, call: Call) -> bool:
    """Return whether a number has begun conversations in danger again and again within the hour."""
    written = Call.channel != Channel.VOICE
    return await opening.said_danger_often(work, call, Call.caller_key == call.caller_key, written)


async def refuse(work: Work, call: Call) -> None:
    """End the conversation of a blocked number, and tell it so once a day."""
    told = await work.session.scalar(
        select(Call.id)
        .where(
            Call.caller_key == call.caller_key,
            Call.line_id == call.line_id,
            Call.blocked,
            Call.id != call.id,
            Call.channel == call.channel,
            Call.opened_at > work.now - _DAY,
        )
        .limit(1)
    )
    if told is None:
        await messages.tell(work, call, Sentence.BLOCKED, str(call.id))
    await record.record(work, call, CallLog.BLOCKED)
    await releasing.end_call(work, call, ended_by=EndedBy.PROGRAM)


async def queue_or_leave(work: Work, call: Call, line: LineScript) -> None:
    """Queue a child whose conversation is new, or keep what it wrote until a counsellor is there.

    It is told which of the two.
    """
    await opening.admit(work, call, line)
    if CallState(call.state) is CallState.GREETING:
        await leave(work, call)
        return
    await messages.tell(work, call, Sentence.WAIT, str(call.id))
    work.defer(Task.WATCH_CARRIED, delay=_LOOKS_EVERY, call_id=str(call.id))


async def leave(work: Work, call: Call) -> None:
    """Keep a conversation as a message that waits for its answer, and tell the child so."""
    await messages.tell(work, call, Sentence.CLOSED, str(call.id))
    await left.keep(work, call)


async def watch(work: Work, call_id: UUID) -> None:
    """Look whether a counsellor can still come to a child who waits; may run twice.

    On a page the child itself would see that no counsellor is there any more.
    """
    call = await record.lock_call(work, call_id)
    if CallState(call.state) is CallState.ENDED:
        return
    line = await finding_lines.line_of_id(work, call.line_id)
    if CallState(call.state) is CallState.QUEUED and line is not None:
        found = await staffing.staffing(
            work,
            line,
            call.language or "",
            danger=call.danger,
            arrived_at=call.queued_at,
            written=True,
        )
        if found.unstaffed is not None:
            call.unstaffed = found.unstaffed.value
            await leave(work, call)
            return
    work.defer(Task.WATCH_CARRIED, delay=_LOOKS_EVERY, call_id=str(call.id))


def address_of(work: Work, call: Call) -> str | None:
    """Return where the child of a conversation is written to; None once that is forgotten."""
    if call.caller_number_sealed is None:
        return None
    return work.keys.open(
        call.caller_number_sealed, table="calls", column="caller_number_sealed", row=call.id
    ).decode()
