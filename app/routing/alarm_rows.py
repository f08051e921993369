"""The tables of alarms that escalate to a person, and of the attempts to reach one."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, Sealed, one_of
from app.outbox.channels import MESSAGES
from app.outbox.rows import SentOnce
from app.outbox.states import OF_REQUESTS


class AlarmKind(StrEnum):
    NO_COUNSELLOR_SIGNED_IN = "no_counsellor_signed_in"
    ALL_AWAY = "all_away"
    LAST_ONE_MISSES = "last_one_misses"
    LONG_WAIT = "long_wait"
    # Danger that is on record without any action.
    DRAFT_NOT_SENT = "draft_not_sent"
    OVERRIDE_NOT_SEEN = "override_not_seen"
    DANGER_NOT_REFERRED = "danger_not_referred"
    RISK_ROSE = "risk_rose"
    DETAILS_NOT_OPENED = "details_not_opened"
    WITHDRAWAL_UNDECIDED = "withdrawal_undecided"
    # More is dialled than usual.
    DIALLING_HOUR = "dialling_hour"
    DIALLING_DAY = "dialling_day"
    # A message, spoken or written, waits for a person who takes it.
    MESSAGE_NOT_TAKEN = "message_not_taken"
    # A call-back was not made at the agreed time.
    CALLBACK_NOT_MADE = "callback_not_made"


# They are about no line in particular; the oldest one stands for the helpline, if there is one.
VOLUME = (AlarmKind.DIALLING_HOUR, AlarmKind.DIALLING_DAY)
# What the comparison of rota and presence neither opens nor ends.
OF_OTHERS = (*VOLUME, AlarmKind.MESSAGE_NOT_TAKEN, AlarmKind.CALLBACK_NOT_MADE)


class Alarm(Base):
    """A person has to act: a line has no counsellor, danger is on record without any action, or
    more is dialled than usual.

    At most one of a kind for each line and language, or for each record, at a time: a person who
    took the one of another kind has not heard of this one. `round`, `step`
    and `phone` say where the escalation stands, as for an urgent referral; `turn` grows with each
    step, so that a late job does nothing.
    """

    __tablename__ = "alarms"
    __table_args__ = (
        one_of("kind", AlarmKind),
        CheckConstraint(
            "(line_id IS NULL) <> (subject_id IS NULL) OR "
            "subject_id IS NULL AND kind IN ('dialling_hour', 'dialling_day')",
            name="about",
        ),
        Index(
            "uq_alarms_open_line",
            "line_id",
            "language",
            "kind",
            unique=True,
            postgresql_where=text("ended_at IS NULL AND line_id IS NOT NULL"),
            postgresql_nulls_not_distinct=True,
        ),
        Index(
            "uq_alarms_open_subject",
            "subject_id",
            "kind",
            unique=True,
            postgresql_where=text("ended_at IS NULL AND subject_id IS NOT NULL"),
        ),
        Index(
            "uq_alarms_open_without_line",
            "kind",
            unique=True,
            postgresql_where=text("ended_at IS NULL AND line_id IS NULL AND subject_id IS NULL"),
        ),
        Index("ix_alarms_subject_id", "subject_id"),
    )

    id: Mapped[Identifier]
    line_id: Mapped[UUID | None] = mapped_column(ForeignKey("lines.id", ondelete="CASCADE"))
    language: Mapped[str | None]
    # The referral, contact or case that records the danger, and who is responsible for it.
    subject_id: Mapped[UUID | None]
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    owner_asked_at: Mapped[datetime | None]
    # When a person decided that nothing more is to be done, who, and why.
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    words_sealed: Mapped[Sealed | None]
    kind: Mapped[str]
    begun_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    next_at: Mapped[datetime | None]
    turn: Mapped[int] = mapped_column(server_default="0")
    round: Mapped[int] = mapped_column(server_default="0")
    step: Mapped[int] = mapped_column(server_default="0")
    phone: Mapped[int] = mapped_column(server_default="-1")


class AlarmAttempt(SentOnce, Base):
    """One attempt to reach one person about an alarm; committed before anything is sent."""

    __tablename__ = "alarm_attempts"
    __table_args__ = (
        one_of("kind", MESSAGES),
        one_of("sending", OF_REQUESTS),
        Index("ix_alarm_attempts_alarm_id", "alarm_id", "number"),
    )

    id: Mapped[Identifier]
    alarm_id: Mapped[UUID] = mapped_column(ForeignKey("alarms.id", ondelete="CASCADE"))
    number: Mapped[int]
    round: Mapped[int] = mapped_column(server_default="0")
    turn: Mapped[int]
    kind: Mapped[str]
    # The entry of the directory, and its number or address as it was then.
    who: Mapped[str]
    target: Mapped[str]
    language: Mapped[str]
    seconds: Mapped[int] = mapped_column(server_default="30")
    wanted_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    result: Mapped[str | None]
