"""Short messages between supervisors and the people of their team: sealed, and soon deleted.

They are about the work of the day. What has to last belongs in a record, so these are in no
figure, no file and no log; the log says only that one was sent or opened.
"""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, ForeignKey, Index, and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, aliased, mapped_column

from app.database.base import Base, Identifier, Sealed
from app.database.topics import Topic
from app.errors import Invalid, NotFound
from app.jobs.transaction import transaction
from app.routing.rota import takers
from app.staff.audit import write_entry, write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may
from app.work import PROGRAM, Ground, Work

KEPT = timedelta(hours=24)
LONGEST = 500
_SHOWN = 50
# How long it is remembered to whom a person can write.
_REMEMBERED = timedelta(minutes=1)
# The roles that may write to all of their team, and to whom all may write.
_SUPERVISORS = [role.value for role in Role if may(role, Permission.SUPERVISE)]


class TeamMessage(Base):
    """A message from one person of a team to another; one of them supervises."""

    __tablename__ = "team_messages"
    __table_args__ = (
        Index("ix_team_messages_recipient_id", "recipient_id", "sent_at"),
        Index("ix_team_messages_sender_id", "sender_id", "sent_at"),
        Index("ix_team_messages_sent_at", "sent_at"),
    )

    id: Mapped[Identifier]
    sender_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    recipient_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    words_sealed: Mapped[Sealed]
    sent_at: Mapped[datetime]
    read_at: Mapped[datetime | None]


class ShownTeamMessage(NamedTuple):
    """A message, opened for one of the two who may read it."""

    id: UUID
    sent_at: datetime
    # The other person, and whether the reader wrote it.
    other_id: UUID
    other: str
    own: bool
    read: bool
    words: str


def _partner(staff: Staff) -> ColumnElement[bool]:
    """Return the condition for the people with whom a person exchanges messages."""
    in_team = and_(
        Staff.active,
        Staff.id != staff.id,
        Staff.team == staff.team,
        Staff.role.in_(takers.TAKERS),
    )
    if staff.role in _SUPERVISORS:
        return in_team
    return and_(in_team, Staff.role.in_(_SUPERVISORS))


async def partners(work: Work, staff: Staff) -> list[tuple[UUID, str]]:
    """Return whom a person can write to, by name: a counsellor only the supervisors."""
    rows = await work.session.execute(
        select(Staff.id, Staff.name).where(_partner(staff)).order_by(Staff.name)
    )
    return [(id_, name) for id_, name in rows]


async def supervisors(work: Work, staff: Staff) -> list[tuple[UUID, str]]:
    """Return the supervisors of a person's team to whom the person can write, by name."""
    memory, key = work.ground.memory, ("supervisors", staff.id, staff.role, staff.team)
    found: tuple[tuple[UUID, str], ...] | None = memory.recall(Topic.STAFF, key, work.now)
    if found is None:
        rows = await work.session.execute(
            select(Staff.id, Staff.name)
            .where(_partner(staff), Staff.role.in_(_SUPERVISORS))
            .order_by(Staff.name)
        )
        found = tuple((id_, name) for id_, name in rows)
        # A change of any account is announced, and forgets it.
        memory.keep(Topic.STAFF, key, found, work.now + _REMEMBERED)
    return list(found)


async def send(
    work: Work, staff: Staff, recipient_id: UUID, words: str, key: UUID | None = None
) -> UUID:
    """Send a message within the team. Raises NotFound, Invalid.

    `key` is the id that the page gave it: a message that is sent twice is stored once.
    """
    words = words.strip()
    if not words or len(words) > LONGEST:
        raise Invalid("Write a message of at most %(longest)s characters.", longest=LONGEST)
    found = await work.session.scalar(
        select(Staff.id).where(Staff.id == recipient_id, _partner(staff))
    )
    if found is None:
        raise NotFound("Choose a person of your team from the list.")
    message_id = key or uuid4()
    made = await work.session.execute(
        insert(TeamMessage)
        .values(
            id=message_id,
            sender_id=staff.id,
            recipient_id=recipient_id,
            words_sealed=work.keys.seal(
                words.encode(), table="team_messages", column="words_sealed", row=message_id
            ),
            sent_at=work.now,
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(TeamMessage.id)
    )
    if made.first() is None:
        return message_id
    write_entry(work, AuditLog.TEAM_MESSAGE_SENT, str(recipient_id))
    work.announce(Topic.TEAM_MESSAGES.of(staff.id), Topic.TEAM_MESSAGES.of(recipient_id))
    return message_id


def _young(work: Work) -> ColumnElement[bool]:
    # The sweep may come late; a message is not shown after its time all the same.
    return TeamMessage.sent_at > work.now - KEPT


async def count_unread(work: Work, staff: Staff) -> int:
    """Count the messages that a person has not opened."""
    return (
        await work.session.scalar(
            select(func.count())
            .select_from(TeamMessage)
            .join(Staff, Staff.id == TeamMessage.sender_id)
            .where(
                TeamMessage.recipient_id == staff.id,
                TeamMessage.read_at.is_(None),
                Staff.team == staff.team,
                _young(work),
            )
        )
        or 0
    )


async def open_all(work: Work, staff: Staff) -> list[ShownTeamMessage]:
    """Open the messages from and to a person, the oldest first. New ones are logged as opened."""
    other = aliased(Staff)
    rows = (
        await work.session.execute(
            select(TeamMessage, other.id, other.name)
            .join(
                other,
                or_(
                    and_(TeamMessage.sender_id == staff.id, other.id == TeamMessage.recipient_id),
                    and_(TeamMessage.recipient_id == staff.id, other.id == TeamMessage.sender_id),
                ),
            )
            # After a change of team, what was written in the old one is not read on.
            .where(other.team == staff.team, _young(work))
            .order_by(TeamMessage.sent_at.desc(), TeamMessage.id)
            .limit(_SHOWN)
        )
    ).all()
    new = [m.id for m, _, _ in rows if m.recipient_id == staff.id and m.read_at is None]
    if new:
        await write_reading(work, AuditLog.TEAM_MESSAGES_READ, str(staff.id), count=len(new))
    return [
        ShownTeamMessage(
            m.id,
            m.sent_at,
            other_id,
            name,
            m.sender_id == staff.id,
            m.read_at is not None,
            work.keys.open(
                m.words_sealed, table="team_messages", column="words_sealed", row=m.id
            ).decode(),
        )
        for m, other_id, name in reversed(rows)
    ]


async def read_all(work: Work, staff: Staff) -> list[ShownTeamMessage]:
    """Open the messages from and to a person, and mark those to them as read."""
    shown = await open_all(work, staff)
    await mark_read(work, staff, [one.id for one in shown])
    return shown


async def mark_read(work: Work, staff: Staff, shown: list[UUID]) -> None:
    """Mark those messages to a person as read that were shown."""
    read = await work.session.execute(
        update(TeamMessage)
        .where(
            TeamMessage.id.in_(shown),
            TeamMessage.recipient_id == staff.id,
            TeamMessage.read_at.is_(None),
        )
        .values(read_at=work.now)
        .returning(TeamMessage.sender_id)
        .execution_options(synchronize_session=False)
    )
    for sender_id in set(read.scalars()):
        work.announce(Topic.TEAM_MESSAGES.of(staff.id), Topic.TEAM_MESSAGES.of(sender_id))


async def forget_messages(ground: Ground) -> None:
    """Delete the messages whose time is over."""
    async with transaction(ground, PROGRAM) as work:
        await work.session.execute(
            delete(TeamMessage)
            .where(TeamMessage.sent_at <= work.now - KEPT)
            .execution_options(synchronize_session=False)
        )
