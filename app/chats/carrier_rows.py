"""The tables of the carriers of written messages: what is sent, arrives and is fetched, the numbers
that want no more, and the accounts of lines."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.calls.states import CARRIED
from app.database.base import Base, CallerHash, Identifier, Sealed, one_of
from app.outbox.rows import SentOnce
from app.outbox.states import OF_REQUESTS


class OnItsWay(StrEnum):
    """Why a message has not left yet, if a carrier brings it; not stored."""

    SENDING = "sending"
    # It waits for a word of the child.
    HELD = "held"


class AccountState(StrEnum):
    """How far an account at a carrier is; the values are stored."""

    WANTED = "wanted"
    REGISTERED = "registered"
    # The line does not take messages of this carrier now: the carrier keeps them.
    PAUSED = "paused"
    REFUSED = "refused"
    REMOVING = "removing"


class AccountProblem(StrEnum):
    """Why an account could not be set up at its carrier; the values are stored."""

    TOKEN = "token"
    # The service that plays a phone does not keep what is written while we are away.
    MODE = "mode"
    ADDRESS = "address"
    AWAY = "away"
    # Something that it handed out could not be read: it is kept.
    UNREAD = "unread"


class Sent(SentOnce, Base):
    """A message to a child on its way by a carrier: sent once. Its words are in `chat_messages`.

    Without a message it is an approved text that asks the child to write, so that what is held can
    be sent.
    """

    __tablename__ = "chat_sent"
    __table_args__ = (
        one_of("sending", OF_REQUESTS),
        Index("ix_chat_sent_call_id", "call_id", "wanted_at"),
        Index("ix_chat_sent_wanted_at", "wanted_at"),
        CheckConstraint("held_at IS NULL OR sending = 'wanted'", name="held_at"),
    )

    # The message's own id.
    id: Mapped[Identifier]
    call_id: Mapped[UUID] = mapped_column(ForeignKey("calls.id"))
    message_id: Mapped[UUID | None] = mapped_column(ForeignKey("chat_messages.id"), unique=True)
    wanted_at: Mapped[datetime]
    # Since when it waits for a word of the child.
    held_at: Mapped[datetime | None]
    # The parts in which it is billed.
    parts: Mapped[int | None]
    # The carrier's last word on it, and its code of a failure.
    reported: Mapped[str | None]
    code: Mapped[int | None]


class Arrival(Base):
    """A message that a carrier has brought, by the carrier's own id: it is received once."""

    __tablename__ = "chat_arrivals"
    __table_args__ = (
        one_of("channel", CARRIED),
        Index("ix_chat_arrivals_at", "at"),
    )

    channel: Mapped[str] = mapped_column(primary_key=True)
    sid: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    # The conversation to which it was added, and the number of ours to which it came.
    call_id: Mapped[UUID | None] = mapped_column(ForeignKey("calls.id"), index=True)
    ours: Mapped[str | None]


class OptOut(Base):
    """A number that wants no more messages from a line by a carrier, until it writes again."""

    __tablename__ = "chat_opt_outs"
    __table_args__ = (
        one_of("channel", CARRIED),
        UniqueConstraint("line_id", "channel", "caller_key", name="uq_chat_opt_outs_line_id"),
    )

    id: Mapped[Identifier]
    line_id: Mapped[UUID] = mapped_column(ForeignKey("lines.id"))
    channel: Mapped[str]
    caller_key: Mapped[CallerHash]
    at: Mapped[datetime]


class CarrierAccount(Base):
    """An account of a line at a carrier, such as a bot of Telegram or a number in Signal: only the
    line's children write to it. `their_id`: who it is there; `name`: how children find it."""

    __tablename__ = "chat_accounts"
    __table_args__ = (
        one_of("channel", CARRIED),
        one_of("state", AccountState),
        one_of("problem", AccountProblem),
        Index(
            "uq_chat_accounts_line_id",
            "line_id",
            "channel",
            unique=True,
            postgresql_where=text("state <> 'removing'"),
        ),
        Index(
            "uq_chat_accounts_their_id",
            "channel",
            "their_id",
            unique=True,
            postgresql_where=text("state <> 'removing'"),
        ),
    )

    id: Mapped[Identifier]
    line_id: Mapped[UUID] = mapped_column(ForeignKey("lines.id"))
    channel: Mapped[str]
    their_id: Mapped[str]
    name: Mapped[str | None]
    token_sealed: Mapped[Sealed]
    # What the carrier shows with each message that it brings.
    secret_sealed: Mapped[Sealed]
    state: Mapped[str] = mapped_column(server_default="wanted")
    problem: Mapped[str | None]
    set_at: Mapped[datetime]
    # When the carrier was last asked to bring its messages here.
    asked_at: Mapped[datetime | None]
    # When the carrier first took this token; null: it never has.
    taken_at: Mapped[datetime | None]


class EarlierAccount(Base):
    """An account that a line had at a carrier, with its token, so that a change can be taken back:
    see `earlier_accounts.py`."""

    __tablename__ = "chat_earlier_accounts"
    __table_args__ = (
        one_of("channel", CARRIED),
        Index("uq_chat_earlier_accounts", "line_id", "channel", "their_id", unique=True),
    )

    id: Mapped[Identifier]
    line_id: Mapped[UUID] = mapped_column(ForeignKey("lines.id"))
    channel: Mapped[str]
    their_id: Mapped[str]
    at: Mapped[datetime]
    token_sealed: Mapped[Sealed]


class Fetched(Base):
    """What a carrier handed out for an account of a line, as it came, until it is received: the
    carrier has forgotten it. `tried_at`: when it could not be read last. `put_away_at`: since when
    it alarms no person any more."""

    __tablename__ = "chat_fetched"
    __table_args__ = (
        one_of("channel", CARRIED),
        Index("ix_chat_fetched_line_id", "line_id", "at"),
    )

    id: Mapped[Identifier]
    line_id: Mapped[UUID] = mapped_column(ForeignKey("lines.id"))
    channel: Mapped[str]
    their_id: Mapped[str]
    at: Mapped[datetime]
    content_sealed: Mapped[Sealed]
    tried_at: Mapped[datetime | None]
    put_away_at: Mapped[datetime | None]
