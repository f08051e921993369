"""Conversations that ended without their counsellor: they stay on the desk until they were seen.

A child leaves in the middle of a sentence, and what it wrote last must not leave with it. If its
counsellor is not there, or it may be in danger, the supervisors of the team have it on their desks
too; if the counsellor's account ends, a colleague gets it.
"""

import contextlib
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select, update

from app.calls import danger_words, record
from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.calls.states import Channel, EndedBy
from app.chats.models import Author, Message
from app.contacts.log_kinds import ReadsBecause
from app.contacts.models import Contact
from app.contacts.scopes import let_read, reads_contact
from app.database.topics import Topic
from app.errors import NotFound
from app.routing.alarm_rows import Alarm, AlarmKind
from app.routing.models import Offer, Presence, PresenceState
from app.routing.responsible import pick_owner
from app.staff import receiving
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

# What was seen and is older is in the list of forms to be written.
_SHOWN = timedelta(hours=12)
_MOST = 100

# What a child wrote, and its counsellor has not seen.
UNSEEN = (
    Message.author == Author.CHILD,
    Message.seen_at.is_(None),
    Message.erased_at.is_(None),
)
# Whose desk a conversation is on.
_DESK_OF = func.coalesce(Offer.kept_for_id, Offer.counsellor_id)
_HAS_UNSEEN = exists().where(Message.call_id == Offer.call_id, *UNSEEN).correlate(Offer)
_IS_THERE = (
    exists()
    .where(
        Presence.counsellor_id == _DESK_OF,
        Presence.state.not_in((PresenceState.OFF_DUTY, PresenceState.AWAY)),
    )
    .correlate(Offer)
)
_IS_ALARM = (
    exists()
    .where(
        Alarm.line_id == Call.line_id,
        Alarm.kind == AlarmKind.MESSAGE_NOT_TAKEN,
        Alarm.ended_at.is_(None),
    )
    .correlate(Call)
)


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
    # The words of the child speak of danger.
    alarming: bool
    # The colleague on whose desk it is; empty if it is the reader.
    counsellor: str
    # Which words were the first to speak of danger.
    danger_words: str = ""


def _on_desk_of(person_id: UUID) -> ColumnElement[bool]:
    return _DESK_OF.is_not_distinct_from(person_id)


def _of_team(staff: Staff) -> ColumnElement[bool]:
    """Return the condition for conversations of a supervisor's team."""
    if not may(staff.role, Permission.READ_TEAM_RECORDS):
        return Offer.id.is_(None)
    of_call = (Contact.call_id == Offer.call_id, Contact.team == staff.team)
    return exists().where(*of_call).correlate(Offer)


async def conversations(work: Work, staff: Staff) -> list[Gone]:
    """Return the conversations on a person's desk whose child has left, and for a supervisor those
    of the team that have unseen words and whose counsellor is not there, or that are urgent.

    Those with unseen words come first, then danger, then the latest.
    """
    of_call = (Message.call_id == Call.id, Message.author == Author.CHILD)
    unread = select(func.count()).where(*of_call, *UNSEEN).scalar_subquery()
    last = select(func.coalesce(func.max(Message.number), 0)).where(*of_call).scalar_subquery()
    urgent = or_(Call.danger, Call.alarming)
    for_others = and_(_of_team(staff), _HAS_UNSEEN, or_(urgent, ~_IS_THERE, _IS_ALARM))
    rows = await work.session.execute(
        select(
            Call.id,
            func.coalesce(Line.name, ""),
            func.coalesce(Call.language, ""),
            Call.channel,
            Call.danger,
            Call.ended_by,
            Call.ended_at,
            unread,
            last,
            Contact.id,
            Call.alarming,
            case((Staff.id == staff.id, ""), else_=Staff.name),
            Call.danger_words_sealed,
        )
        .select_from(Offer)
        .join(Call, Call.id == Offer.call_id)
        .join(Staff, Staff.id == _DESK_OF)
        .join(Line, Line.id == Call.line_id, isouter=True)
        .join(Contact, and_(Contact.call_id == Call.id, reads_contact(staff)), isouter=True)
        .where(
            Offer.kept_on_desk,
            or_(_on_desk_of(staff.id), for_others),
            or_(Call.ended_at > work.now - _SHOWN, _HAS_UNSEEN),
        )
        .order_by(_HAS_UNSEEN.desc(), urgent.desc(), Offer.released_at.desc())
        .limit(_MOST)
    )
    return [
        Gone(call_id, line, language, Channel(channel), danger, EndedBy(by), *more)._replace(
            danger_words=danger_words.opened(work, call_id, words)
        )
        for call_id, line, language, channel, danger, by, *more, words in rows
    ]


async def keep(work: Work, call: Call) -> None:
    """Put an ended conversation back on the desk where it was: words came after the end. If that
    account has ended, a colleague gets it."""
    last = (
        select(Offer.id)
        .where(Offer.call_id == call.id, Offer.connected_at.is_not(None))
        .order_by(Offer.released_at.desc())
        .limit(1)
    )
    row = await work.session.execute(
        update(Offer)
        .where(Offer.id == last.scalar_subquery())
        .values(kept_on_desk=True)
        .returning(Offer.id, _DESK_OF)
        .execution_options(synchronize_session=False)
    )
    found = row.one_or_none()
    if found is None:
        return
    offer_id, staff_id = found
    # An account that is only changed at this moment keeps the conversation.
    if await receiving.is_here(work, staff_id):
        work.announce(Topic.CHATS.of(staff_id))
        return
    with contextlib.suppress(NotFound):
        await _give(work, offer_id, call.id, (await pick_owner(work, Permission.TAKE_CALLS)).id)


async def _give(work: Work, offer_id: UUID, call_id: UUID, to_id: UUID) -> None:
    """Put a conversation on the desk of a colleague, who may read its contact from now on."""
    await work.session.execute(
        update(Offer)
        .where(Offer.id == offer_id)
        .values(kept_for_id=to_id)
        .execution_options(synchronize_session=False)
    )
    contact = await work.session.scalar(select(Contact).where(Contact.call_id == call_id))
    if contact is not None:
        let_read(work, contact, to_id, ReadsBecause.GIVEN)
    write_entry(work, AuditLog.WRITTEN_MESSAGE_TAKEN, str(call_id), owner=str(to_id))
    work.announce(Topic.CHATS.of(to_id))


def unseen_of(owner_id: UUID) -> Select[UUID, UUID]:
    """Select the conversations on a person's desk with words that they have not seen."""
    return select(Offer.id, Offer.call_id).where(
        Offer.kept_on_desk, _on_desk_of(owner_id), _HAS_UNSEEN
    )


async def give_all(work: Work, owner_id: UUID, to_id: UUID) -> int:
    """Put the conversations with unseen words of a person who leaves on the desk of a colleague.
    Return how many."""
    rows = await work.session.execute(
        unseen_of(owner_id).order_by(Offer.call_id).with_for_update(of=Offer)
    )
    found = rows.all()
    for offer_id, call_id in found:
        await _give(work, offer_id, call_id, to_id)
    return len(found)


async def put_away(work: Work, staff: Staff, call_id: UUID, number: int) -> bool:
    """Note that a person has seen a conversation whose child has left, up to a message, and take it
    off the desk, unless the child's words go on after that one. A supervisor may do it for a
    counsellor of the team; that is logged.

    Return whether it was theirs. May run twice.
    """
    # What comes after the end comes under the lock of the call, and puts it back.
    await record.lock_call(work, call_id)
    row = await work.session.execute(
        select(Offer.id, _DESK_OF)
        .where(
            Offer.call_id == call_id,
            Offer.kept_on_desk,
            or_(_on_desk_of(staff.id), _of_team(staff)),
        )
        .with_for_update(of=Offer)
    )
    kept = row.first()
    if kept is None:
        theirs = select(Offer.id).where(
            Offer.call_id == call_id,
            or_(Offer.counsellor_id == staff.id, Offer.kept_for_id == staff.id, _of_team(staff)),
            Offer.connected_at.is_not(None),
            Offer.released_at.is_not(None),
        )
        return await work.session.scalar(theirs.limit(1)) is not None
    offer_id, desk_of = kept
    unseen = (Message.call_id == call_id, *UNSEEN)
    await work.session.execute(
        update(Message)
        .where(*unseen, Message.number <= number)
        .values(seen_at=work.now, delivered_at=func.coalesce(Message.delivered_at, work.now))
        .execution_options(synchronize_session=False)
    )
    if await work.session.scalar(select(Message.id).where(*unseen).limit(1)) is None:
        await work.session.execute(
            update(Offer)
            .where(Offer.id == offer_id)
            .values(kept_on_desk=False)
            .execution_options(synchronize_session=False)
        )
        if desk_of != staff.id:
            write_entry(work, AuditLog.WRITTEN_MESSAGE_DONE, str(call_id), owner=str(desk_of))
    work.announce(Topic.CHATS.of(staff.id), Topic.CHATS.of(desk_of))
    return True
