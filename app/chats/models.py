"""The tables of written conversations: their messages, what is being typed, and how a child comes
back. The conversation itself is a call: see `app/calls/models.py`."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.calls.sentences import Sentence
from app.calls.states import CARRIED, WRITTEN
from app.database.base import Base, CallerHash, Identifier, KeyedHash, Sealed, one_of
from app.outbox.rows import SentOnce
from app.outbox.states import OF_REQUESTS


class Author(StrEnum):
    """Who wrote; the values are stored."""

    CHILD = "child"
    COUNSELLOR = "counsellor"
    SUPERVISOR = "supervisor"
    PROGRAM = "program"


class ReaderKind(StrEnum):
    """Who reads a message; the values are stored."""

    SAID = "said"
    # Only staff see it.
    WHISPER = "whisper"


class Failure(StrEnum):
    """Why a message did not reach a child by its carrier; the values are stored."""

    # The rules of dialling do not allow the number.
    NOT_DIALLED = "not_dialled"
    OPTED_OUT = "opted_out"
    # The child was silent for so long that only an approved message may be sent, and none is set.
    WINDOW = "window"
    UNREACHABLE = "unreachable"
    UNKNOWN_NUMBER = "unknown_number"
    FILTERED = "filtered"
    # Its number was forgotten, by the rules of retention.
    NO_ADDRESS = "no_address"
    REFUSED = "refused"
    # The line has no account at the carrier any more.
    NOT_SET_UP = "not_set_up"
    # There was no response, and the carrier has no trace of it.
    UNCERTAIN = "uncertain"


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
    # The service that plays a telephone does not keep what is written while we are away.
    MODE = "mode"
    ADDRESS = "address"
    AWAY = "away"
    # Something that it handed out could not be heard: it is kept.
    UNREAD = "unread"


class Message(Base):
    """One message of a conversation. `number` is given under the lock of the call, so that both
    sides read one order. The same message sent twice is one row, by its `client_key`."""

    __tablename__ = "chat_messages"
    __table_args__ = (
        one_of("author", Author),
        one_of("kind", ReaderKind),
        CheckConstraint(
            "(sentence IN ("
            + ", ".join(f"'{one}'" for one in Sentence)
            + ")) AND (author = 'program') = (sentence IS NOT NULL)",
            name="sentence",
        ),
        CheckConstraint(
            "(text_sealed IS NULL) = (sentence IS NOT NULL OR erased_at IS NOT NULL)", name="text"
        ),
        CheckConstraint(
            "(staff_id IS NOT NULL) = (author IN ('counsellor', 'supervisor'))", name="staff_id"
        ),
        CheckConstraint("kind = 'said' OR staff_id IS NOT NULL", name="whisper"),
        one_of("failure", Failure),
        Index("uq_chat_messages_number", "call_id", "number", unique=True),
        Index(
            "uq_chat_messages_client_key",
            "call_id",
            "client_key",
            unique=True,
            postgresql_where=text("client_key IS NOT NULL"),
        ),
        Index("ix_chat_messages_kept", "at", postgresql_where=text("text_sealed IS NOT NULL")),
    )

    id: Mapped[Identifier]
    call_id: Mapped[UUID] = mapped_column(ForeignKey("calls.id"))
    number: Mapped[int]
    author: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default="said")
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    text_sealed: Mapped[Sealed | None]
    sentence: Mapped[str | None]
    client_key: Mapped[str | None]
    at: Mapped[datetime]
    # When its carrier had it, if that was well before it was brought to us.
    sent_at: Mapped[datetime | None]
    # When the other side fetched it, and when it was on their screen.
    delivered_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    # When its time was over and the words were erased.
    erased_at: Mapped[datetime | None]
    # Why it did not reach the child, if a carrier brings it.
    failure: Mapped[str | None]


class Typing(Base):
    """What one side is typing at the moment. Not written to the log of the database: after a crash
    no side is typing. `text_sealed`: the words so far, for a child who wants both sides to read by
    the letter (real-time text)."""

    __tablename__ = "chat_typing"
    __table_args__ = (one_of("author", Author), {"prefixes": ["UNLOGGED"]})

    call_id: Mapped[UUID] = mapped_column(primary_key=True)
    author: Mapped[str] = mapped_column(primary_key=True)
    # A row of its own to which the words are bound.
    id: Mapped[UUID]
    at: Mapped[datetime]
    text_sealed: Mapped[Sealed | None]


class Access(Base):
    """By what a child comes back to the conversation: a secret of which only a keyed hash is kept.

    `opened_with`: the hash of the key with which the page asked for it, so that a request that
    arrives twice opens one conversation.
    """

    __tablename__ = "chat_access"

    call_id: Mapped[UUID] = mapped_column(ForeignKey("calls.id"), primary_key=True)
    secret_key: Mapped[KeyedHash] = mapped_column(unique=True)
    opened_with: Mapped[KeyedHash] = mapped_column(unique=True)
    # When the child last came back with a code, and was given the present secret.
    given_at: Mapped[datetime | None]
    # The child has said what it thought of the conversation: once, and nothing links the two.
    rated: Mapped[bool] = mapped_column(server_default="false")
    # The child wants each letter read as it is typed, its own and those of its counsellor.
    letters: Mapped[bool] = mapped_column(server_default="false")


class ReturnCode(Base):
    """A message that a child left when no counsellor was there, and the code with which it comes
    back for the answer. Only a hash of the code is kept."""

    __tablename__ = "chat_codes"
    __table_args__ = (
        Index("ix_chat_codes_left", "made_at", postgresql_where=text("done_at IS NULL")),
    )

    call_id: Mapped[UUID] = mapped_column(ForeignKey("calls.id"), primary_key=True)
    code_key: Mapped[KeyedHash] = mapped_column(unique=True)
    made_at: Mapped[datetime]
    until_at: Mapped[datetime]
    # Since when the child waits for an answer: it may have written again after one.
    waits_since: Mapped[datetime]
    # Who is responsible for it, and since when.
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    taken_at: Mapped[datetime | None]
    # When a counsellor had read and answered the message, and who.
    done_at: Mapped[datetime | None]
    done_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    # When the child's page was given the code: without it there is no way to answer, unless a
    # carrier brings the messages.
    told_at: Mapped[datetime | None]
    # When the child first came back with it.
    used_at: Mapped[datetime | None]


class Feedback(Base):
    """What a child thought of a conversation, linked to none. `month`: its first day, so that no
    answer can be laid beside a conversation."""

    __tablename__ = "chat_feedback"
    __table_args__ = (
        CheckConstraint("helped BETWEEN 1 AND 5", name="helped"),
        CheckConstraint("again BETWEEN 1 AND 5", name="again"),
        one_of("channel", WRITTEN),
        Index("ix_chat_feedback_line_id_month", "line_id", "month"),
    )

    id: Mapped[Identifier]
    line_id: Mapped[UUID] = mapped_column(ForeignKey("lines.id"))
    channel: Mapped[str]
    month: Mapped[date]
    helped: Mapped[int | None]
    again: Mapped[int | None]


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
    """A message that a carrier has brought, by the carrier's own id: it is heard once."""

    __tablename__ = "chat_arrivals"
    __table_args__ = (
        one_of("channel", CARRIED),
        Index("ix_chat_arrivals_at", "at"),
    )

    channel: Mapped[str] = mapped_column(primary_key=True)
    sid: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    # The conversation in which it was heard, and the number of ours to which it came.
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
    """What a carrier handed out for an account of a line, as it came, until it is heard: the
    carrier has forgotten it. `tried_at`: when it could not be heard last. `put_away_at`: since when
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


class MediaKind(StrEnum):
    """What a child sends besides words; the values are stored, and chosen for each line."""

    PICTURE = "picture"
    VOICE = "voice"


class MediaState(StrEnum):
    """How far it is; the values are stored."""

    WANTED = "wanted"
    KEPT = "kept"
    REFUSED = "refused"
    ERASED = "erased"


class MediaProblem(StrEnum):
    """Why it was not kept; the values are stored."""

    TOO_LARGE = "too_large"
    UNKNOWN_KIND = "unknown_kind"
    HARMFUL = "harmful"
    # What the camera wrote into it could not be removed.
    NOT_CLEANED = "not_cleaned"
    GONE = "gone"


class Media(Base):
    """A picture or a voice note that a child sent with a message. `source_sealed`: where the
    carrier has it, until it is fetched, and deleted there."""

    __tablename__ = "chat_media"
    __table_args__ = (
        one_of("kind", MediaKind),
        one_of("state", MediaState),
        one_of("problem", MediaProblem),
        one_of("scan", ("clean", "not_scanned")),
        CheckConstraint("(state = 'kept') = (content_sealed IS NOT NULL)", name="content"),
        CheckConstraint("(state = 'refused') = (problem IS NOT NULL)", name="refused"),
        UniqueConstraint("message_id", "place", name="uq_chat_media_message_id"),
    )

    id: Mapped[Identifier]
    call_id: Mapped[UUID] = mapped_column(ForeignKey("calls.id"), index=True)
    message_id: Mapped[UUID] = mapped_column(ForeignKey("chat_messages.id"))
    # From 0 within its message.
    place: Mapped[int]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="wanted")
    problem: Mapped[str | None]
    source_sealed: Mapped[Sealed | None]
    content_sealed: Mapped[Sealed | None]
    media_type: Mapped[str | None]
    size: Mapped[int | None]
    scan: Mapped[str | None]
    at: Mapped[datetime]
