"""The tables of written conversations: their messages, what is being typed, and how a child comes
back. The conversation itself is a call: see `app/calls/models.py`."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.calls.sentences import Sentence
from app.calls.states import WRITTEN
from app.database.base import Base, Identifier, KeyedHash, Sealed, one_of


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
