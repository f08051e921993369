"""What staff do with messages that children left: see which wait, read, take and answer them, and
mark them as done.

As with voice messages, one that no person has taken is for all teams: it must not wait for one of
them. From then on it belongs to the team of the person who took it.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, and_, func, or_, select

from app.calls import danger_words, record
from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.calls.states import Channel
from app.chats import messages, reading, stopped_numbers
from app.chats.carrier_rows import OptOut
from app.chats.models import Author, Message, ReturnCode
from app.contacts import contacts
from app.contacts.models import Contact
from app.contacts.states import channel_of_call
from app.database.topics import Topic
from app.errors import Conflict, NotFound
from app.staff import accounts, receiving
from app.staff.audit import write_entry, write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work


class TakenByColleague(Conflict):
    default = "A colleague has taken this message."


class TakenByAnotherTeam(TakenByColleague):
    """A person of another team was first, so the message can be read there alone."""


class NoWayToAnswer(Conflict):
    default = "The child has gone; there is no way to answer."


class WantsNoAnswer(NoWayToAnswer):
    default = "The child wants no more messages; there is no way to answer."


class Left(NamedTuple):
    """A message that waits for an answer."""

    call_id: UUID
    line: str
    language: str
    danger: bool
    # Since when it waits: the child may have written again after an answer.
    left_at: datetime
    until_at: datetime
    # A counsellor's word is the last one.
    answered: bool
    # The owner: at first a supervisor where there is one, then the person who has taken it.
    owner_id: UUID | None
    # The words speak of danger.
    alarming: bool
    # The child has the code, or a carrier brings it the answer.
    answerable: bool
    # By what the child wrote, and is answered.
    channel: Channel
    # Which words speak of danger.
    danger_words: str = ""


def of_team(team: str) -> ColumnElement[bool]:
    """Return the condition for the messages that the people of a team may read."""
    people = select(Staff.id).where(Staff.team == team)
    return or_(
        and_(ReturnCode.taken_at.is_(None), ReturnCode.done_at.is_(None)),
        and_(ReturnCode.taken_at.is_not(None), ReturnCode.owner_id.in_(people)),
        ReturnCode.done_by.in_(people),
    )


# The number of a conversation wants no more messages.
_IS_OUT = (
    select(OptOut.id)
    .where(
        OptOut.line_id == Call.line_id,
        OptOut.channel == Call.channel,
        OptOut.caller_key == Call.caller_key,
    )
    .exists()
)


async def waiting(work: Work, team: str) -> list[Left]:
    """Return at most 100 messages for a team that wait for an answer: danger first, then those
    whose words speak of it, then the oldest."""
    rows = await work.session.execute(
        select(
            ReturnCode.call_id,
            func.coalesce(Line.name, ""),
            func.coalesce(Call.language, ""),
            Call.danger,
            ReturnCode.waits_since,
            ReturnCode.until_at,
            _last_by(Author.COUNSELLOR) > _last_by(Author.CHILD),
            ReturnCode.owner_id,
            Call.alarming,
            or_(ReturnCode.told_at.is_not(None), and_(Call.channel != Channel.WEB, ~_IS_OUT)),
            Call.channel,
            Call.danger_words_sealed,
        )
        .join(Call, Call.id == ReturnCode.call_id)
        .join(Line, Line.id == Call.line_id, isouter=True)
        .where(ReturnCode.done_at.is_(None), of_team(team))
        .order_by(Call.danger.desc(), Call.alarming.desc(), ReturnCode.waits_since)
        .limit(100)
    )
    return [
        Left._make(
            (
                *row[:-2],
                Channel(row.channel),
                danger_words.opened(work, row.call_id, row.danger_words_sealed),
            )
        )
        for row in rows
    ]


def _last_by(author: Author) -> ScalarSelect[int]:
    """Return the number of the last message of a conversation by an author; 0 if there is none."""
    return (
        select(func.coalesce(func.max(Message.number), 0))
        .where(Message.call_id == ReturnCode.call_id, Message.author == author)
        .correlate(ReturnCode)
        .scalar_subquery()
    )


async def _lock(work: Work, staff: Staff, call_id: UUID) -> tuple[Call, ReturnCode]:
    """Lock a message that a person may read, with its conversation.

    Raises NotFound, and TakenByAnotherTeam.
    """
    # The conversation first, as all verbs do; a person who may not read the message changes
    # nothing.
    known = select(ReturnCode.call_id).where(ReturnCode.call_id == call_id, of_team(staff.team))
    if await work.session.scalar(known) is None:
        raise NotFound("There is no such message.")
    call = await record.lock_call(work, call_id)
    found: ReturnCode | None = await work.session.scalar(
        select(ReturnCode)
        .where(ReturnCode.call_id == call_id, of_team(staff.team))
        .execution_options(populate_existing=True)
    )
    if found is None:
        # A person of another team was first, a moment ago.
        first = await work.session.get_one(ReturnCode, call_id, populate_existing=True)
        raise TakenByAnotherTeam(
            "%(name)s of another team was first, and is responsible for this message now.",
            name=await _responsible(work, first),
        )
    return call, found


async def _responsible(work: Work, found: ReturnCode) -> str:
    """Return the name of the person who has taken a message, or marked it as done."""
    who = found.owner_id if found.taken_at is not None else found.done_by
    return (await accounts.names_of(work, {who})).get(who, "") if who else ""


async def _taken(work: Work, found: ReturnCode) -> TakenByColleague:
    """Return the refusal that names the colleague who has a message."""
    name = await _responsible(work, found)
    answered = select(Message.id).where(
        Message.call_id == found.call_id, Message.author == Author.COUNSELLOR
    )
    if await work.session.scalar(answered.limit(1)) is not None:
        return TakenByColleague(
            "%(name)s has answered this message. Read the answer. If the child needs another one "
            "from you, press Accept first.",
            name=name,
        )
    return TakenByColleague(
        "%(name)s has taken this message. If you want to answer it, press Accept first.", name=name
    )


async def read_left(work: Work, staff: Staff, call_id: UUID) -> list[reading.ShownMessage]:
    """Return a message that was left, with its answers; the reading is logged first.

    Raises NotFound.
    """
    if not await _is_of_team(work, staff, call_id):
        raise NotFound("There is no such message.")
    await write_reading(work, AuditLog.CONVERSATION_READ, str(call_id), left=True)
    return await reading.all_of(work, call_id)


async def _is_of_team(work: Work, staff: Staff, call_id: UUID) -> bool:
    known = select(ReturnCode.call_id).where(ReturnCode.call_id == call_id, of_team(staff.team))
    return await work.session.scalar(known) is not None


async def may_read(work: Work, staff: Staff, call_id: UUID) -> bool:
    """Return whether a person may read a message that was left, and any that came with it."""
    return may(staff.role, Permission.HEAR_MESSAGES) and await _is_of_team(work, staff, call_id)


async def take(work: Work, staff: Staff, call_id: UUID) -> None:
    """Make a person responsible for a message. May run twice. Raises NotFound,
    TakenByAnotherTeam, and Conflict if it is done."""
    await receiving.check_receives(work, staff)
    _, found = await _lock(work, staff, call_id)
    _check_open(found)
    if found.owner_id != staff.id or found.taken_at is None:
        found.taken_at = found.taken_at or work.now
        _give(work, found, staff.id)


async def _is_answerable(work: Work, call: Call, found: ReturnCode) -> bool:
    if Channel(call.channel).is_carried:
        return not await stopped_numbers.is_out(work, call)
    return found.told_at is not None


async def is_answerable(work: Work, call: Call) -> bool:
    """Return whether an answer to a message can reach its child; that its reader may read the
    message has been checked."""
    found = await work.session.get_one(ReturnCode, call.id, populate_existing=True)
    return await _is_answerable(work, call, found)


def _check_open(found: ReturnCode) -> None:
    if found.done_at is not None:
        raise Conflict("A colleague has marked this message as done.")


def _give(work: Work, found: ReturnCode, owner_id: UUID) -> None:
    found.owner_id = owner_id
    write_entry(work, AuditLog.WRITTEN_MESSAGE_TAKEN, str(found.call_id), owner=str(owner_id))
    work.announce(Topic.MESSAGES)


async def give_all(work: Work, owner_id: UUID, to_id: UUID) -> int:
    """Make a colleague responsible for the messages of a person who leaves. Return how many."""
    rows = await work.session.scalars(
        select(ReturnCode)
        .where(ReturnCode.owner_id == owner_id, ReturnCode.done_at.is_(None))
        .order_by(ReturnCode.call_id)
        .with_for_update()
    )
    found = rows.all()
    for one in found:
        _give(work, one, to_id)
    return len(found)


async def answer(work: Work, staff: Staff, call_id: UUID, *, text: str, client_key: str) -> Message:
    """Answer a message that a child left: on the page it reads the answer when it comes back, and a
    carrier brings it to its phone. A message that no person has taken belongs to the one who
    answers. May run twice with the same key.

    Of two people who answer at once, the second hears who has answered: a child must not get two
    answers that do not know of each other. Raises NotFound, Invalid, TakenByColleague,
    NoWayToAnswer, and Conflict if the message is marked as done.
    """
    await receiving.check_receives(work, staff)
    call, found = await _lock(work, staff, call_id)
    _check_open(found)
    if not await _is_answerable(work, call, found):
        raise WantsNoAnswer() if Channel(call.channel).is_carried else NoWayToAnswer()
    if found.taken_at is None:
        found.taken_at = work.now
        _give(work, found, staff.id)
    elif found.owner_id != staff.id:
        raise await _taken(work, found)
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
    _, found = await _lock(work, staff, call_id)
    if found.done_at is None:
        found.done_at, found.done_by = work.now, staff.id
        found.owner_id = found.owner_id or staff.id
        write_entry(work, AuditLog.WRITTEN_MESSAGE_DONE, str(call_id))
        work.announce(Topic.MESSAGES)


async def begin_contact(work: Work, staff: Staff, call_id: UUID) -> Contact:
    """Begin the record of a contact for a message. Raises NotFound, Conflict if there is one."""
    await receiving.check_receives(work, staff)
    call, _ = await _lock(work, staff, call_id)
    contact, _ = await contacts.create_contact(
        work, staff, channel=channel_of_call(call.channel), message=call
    )
    return contact
