"""The tables of the call record: the call, its legs, its events, its voice message."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.calls import log_kinds
from app.calls.lines.line_rows import Line
from app.calls.states import (
    CallState,
    Channel,
    Direction,
    EndedBy,
    LegStatus,
    MessageState,
    Outcome,
    QuestionState,
    Unstaffed,
)
from app.database.base import Base, CallerHash, Identifier, KeyedHash, Sealed, one_of
from app.outbox.rows import SentOnce
from app.outbox.states import OF_REQUESTS, Sending
from app.privacy.numbers import CallerKind


class Reconciled(Base):
    """Until when the provider's list of ended calls was reconciled without a gap. One row."""

    __tablename__ = "reconciled"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, server_default="1")
    until_at: Mapped[datetime]


class Call(Base):
    """One inbound ring, a call-back of ours, or a written conversation. `provider_sid` is unique: a
    ring is one row, however often it is reported. A call-back has none until the provider has given
    it one, and a conversation on our own page has none at all."""

    __tablename__ = "calls"
    __table_args__ = (
        one_of("state", CallState),
        CheckConstraint(
            "outcome IN (" + ", ".join(f"'{o}'" for o in Outcome) + ")", name="outcome"
        ),
        one_of("caller_kind", CallerKind),
        one_of("unstaffed", Unstaffed),
        one_of("ended_by", EndedBy),
        one_of("direction", Direction),
        one_of("channel", Channel),
        one_of("sending", OF_REQUESTS),
        CheckConstraint(
            "(direction = 'outbound') = (sending IS NOT NULL)", name="sending_if_outbound"
        ),
        CheckConstraint(
            "CASE WHEN channel = 'web' THEN provider_sid IS NULL WHEN channel <> 'voice' THEN true"
            " WHEN direction = 'inbound' THEN provider_sid IS NOT NULL"
            " ELSE provider_sid IS NULL OR sending = 'sent' END",
            name="provider_sid",
        ),
        CheckConstraint("(state = 'ended') = (outcome IS NOT NULL)", name="ended_outcome"),
        CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name="ended_at"),
        CheckConstraint(
            "state NOT IN ('queued', 'offered', 'connected') OR queued_at IS NOT NULL",
            name="queued_at",
        ),
        CheckConstraint("state <> 'connected' OR answered_at IS NOT NULL", name="answered_at"),
        # A number can be forgotten, and its hash kept.
        CheckConstraint(
            "caller_number_sealed IS NULL OR caller_key IS NOT NULL", name="caller_number"
        ),
        Index(
            "ix_calls_numbers",
            "ended_at",
            postgresql_where=text("caller_number_sealed IS NOT NULL"),
        ),
        CheckConstraint("caller_kind <> 'withheld' OR caller_key IS NULL", name="withheld"),
        Index("ix_calls_live", "state", postgresql_where=text("state <> 'ended'")),
        Index(
            "ix_calls_waiting",
            "line_id",
            "language",
            "channel",
            "ranked_at",
            "id",
            postgresql_where=text("state = 'queued'"),
        ),
        # The call-backs in the queue: matching reads all of them, and they are few.
        Index(
            "ix_calls_called_back",
            "callback_id",
            postgresql_where=text("callback_id IS NOT NULL AND state = 'queued'"),
        ),
        Index(
            "ix_calls_in_danger",
            "ranked_at",
            postgresql_where=text("danger AND state IN ('queued', 'offered')"),
        ),
        Index(
            "ix_calls_written",
            "heard_at",
            postgresql_where=text("channel <> 'voice' AND state <> 'ended'"),
        ),
        # A number has one conversation by each carrier at once.
        Index(
            "uq_calls_carried",
            "line_id",
            "channel",
            "caller_key",
            unique=True,
            postgresql_where=text("channel NOT IN ('voice', 'web') AND state <> 'ended'"),
        ),
        Index("ix_calls_opened_at", "opened_at"),
        Index("ix_calls_caller_key", "caller_key", "opened_at"),
        Index("ix_calls_visits", "ended_at", postgresql_where=text("visit_key IS NOT NULL")),
    )

    id: Mapped[Identifier]
    provider_sid: Mapped[str | None] = mapped_column(unique=True)
    channel: Mapped[str] = mapped_column(server_default="voice")
    line_id: Mapped[UUID | None] = mapped_column(ForeignKey(Line.id))
    state: Mapped[str] = mapped_column(server_default="greeting")
    outcome: Mapped[str | None]
    language: Mapped[str | None]
    danger: Mapped[bool] = mapped_column(server_default="false")
    # Danger was written from one place again and again within the hour: the child comes first all
    # the same, and no agency is asked by itself.
    danger_again: Mapped[bool] = mapped_column(server_default="false")
    # Written words spoke of danger before a counsellor had them before their eyes: a suggestion,
    # and no urgency. Which words: `app/calls/danger_words.py`.
    alarming: Mapped[bool] = mapped_column(server_default="false")
    danger_words_sealed: Mapped[Sealed | None]
    # Seconds that are added to the call's wait, so that it is served sooner.
    priority: Mapped[int] = mapped_column(server_default="0")
    # Arrival minus priority, kept by the database: the earliest is served first.
    ranked_at: Mapped[datetime | None]
    # The skills that the call needs besides its line's; then the counsellor whom the caller asked
    # for, and those whom the caller never wants.
    wanted_skills: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    wanted_skills_at: Mapped[datetime | None]
    preferred_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    # When a colleague transferred the caller to that counsellor; unset if the caller wished it.
    preferred_at: Mapped[datetime | None]
    excluded_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    # A practice call: it rings this trainee alone, and ends if they do not take it.
    rings_only_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id", ondelete="SET NULL"))
    caller_kind: Mapped[str]
    caller_number_sealed: Mapped[Sealed | None]
    caller_key: Mapped[CallerHash | None]
    # The hash of a chance number of the page on which a child writes, new each time it is loaded:
    # it tells nothing of the child, and goes within a day of the end.
    visit_key: Mapped[CallerHash | None]
    # Whether the number had rung before; written down when the hash is forgotten, for the figures.
    called_before: Mapped[bool | None]
    greeted: Mapped[bool] = mapped_column(server_default="true")
    opened_at: Mapped[datetime]
    queued_at: Mapped[datetime | None]
    # How often the call entered the queue; part of the URLs, so that each entry has its own.
    entries: Mapped[int] = mapped_column(server_default="0")
    answered_at: Mapped[datetime | None]
    # When a counsellor first wrote to the child. In a call the first word is the answer.
    first_word_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    # Outbound: a call-back that we make; no figure counts it as a call.
    direction: Mapped[str] = mapped_column(server_default="inbound")
    callback_id: Mapped[UUID | None] = mapped_column(index=True)
    # How far the request to ring the caller of a call-back has come; unset for an inbound ring.
    # Where a counsellor's leg dials the caller, it may be `sent` without an id.
    sending: Mapped[str | None]
    # When the provider was asked to ring for a call-back; committed before the request is sent.
    rung_at: Mapped[datetime | None]
    # When a partner was last rung for the caller, and when one took the call.
    partner_at: Mapped[datetime | None]
    # Which number that was: derived from it, and told apart from others within this call alone.
    partner_rung: Mapped[UUID | None]
    transferred_at: Mapped[datetime | None]
    # The caller wants to be called back.
    asked_back: Mapped[bool] = mapped_column(server_default="false")
    # The caller's number is blocked: they are told so, and get through with the danger digit only.
    blocked: Mapped[bool] = mapped_column(server_default="false")
    # The provider itself could not tell how it ended.
    lost: Mapped[bool] = mapped_column(server_default="false")
    unstaffed: Mapped[str | None]
    returned: Mapped[int] = mapped_column(server_default="0")
    # Voice messages that this caller has left.
    messages: Mapped[int] = mapped_column(server_default="0")
    held_at: Mapped[datetime | None]
    # Whether the provider says that the caller is on hold; `held_at` is what was asked for.
    on_hold: Mapped[bool] = mapped_column(server_default="false")
    # The outside participant with whom the caller is alone since the counsellor left; see
    # `app/routing/participants/participants.py`.
    handed_to: Mapped[UUID | None]
    # The conference in which others stay with the child until the next counsellor joins it.
    kept_room_id: Mapped[UUID | None]
    # When the provider last reported on this call, or the child's page was last heard of; and when
    # we last asked the provider.
    heard_at: Mapped[datetime]
    asked_at: Mapped[datetime | None]
    event_count: Mapped[int] = mapped_column(Integer, server_default="0")

    @property
    def is_written(self) -> bool:
        return Channel(self.channel).is_written


class Leg(SentOnce, Base):
    """A leg that we made, for example to a counsellor's phone. It is requested once."""

    __tablename__ = "legs"
    __table_args__ = (
        one_of("status", LegStatus),
        one_of("sending", Sending),
        Index("ix_legs_live", "call_id", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[Identifier]
    call_id: Mapped[UUID] = mapped_column(ForeignKey("calls.id"))
    offer_id: Mapped[UUID] = mapped_column(index=True)
    # The participant whose leg it is, if not the counsellor's: see `routing/participants`.
    participant_id: Mapped[UUID | None] = mapped_column(index=True)
    # It rings the counsellor's second phone: see `routing/second_phone.py`.
    second: Mapped[bool] = mapped_column(server_default="false")
    status: Mapped[str | None]
    end_wanted: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    sip_code: Mapped[int | None]


class LegPace(Base):
    """When the next leg may start at the provider. One row."""

    __tablename__ = "leg_pace"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, server_default="1")
    next_at: Mapped[datetime]


class LegRequest(Base):
    """A leg, of any kind, that waits for its turn to start (`telephony/counsellor/pacing.py`)."""

    __tablename__ = "leg_requests"
    __table_args__ = (Index("ix_leg_requests_urgency", "urgency", "wanted_at"),)

    id: Mapped[Identifier]
    urgency: Mapped[int]
    wanted_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class RecordedEvent(Base):
    """An event of a call. Append-only and chained; see `app/staff/log_checks/chains.py`.

    `delivery_key` is unique: a webhook that arrives twice is one row, and `answer`
    holds what was decided the first time, so that the repeat gets the same document.
    """

    __tablename__ = "call_events"
    __table_args__ = (
        Index("ix_call_events_call_id", "call_id", "id"),
        Index(
            "ix_call_events_held",
            "call_id",
            postgresql_where=text("kind IN ('hold', 'handed_over')"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    call_id: Mapped[UUID] = mapped_column(ForeignKey("calls.id"))
    kind: Mapped[str]
    source: Mapped[str]
    at: Mapped[datetime]
    delivery_key: Mapped[str | None] = mapped_column(unique=True)
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    previous: Mapped[KeyedHash]
    hash: Mapped[KeyedHash]

    @property
    def current_kind(self) -> str:
        """The kind of today: rows of an earlier version keep theirs."""
        return log_kinds.current_kind(self.kind)


class CallQuestion(Base):
    """A question that was spoken to a caller who cannot speak, and the key they pressed; see
    `calls/asked.py`. One at a time."""

    __tablename__ = "call_questions"
    __table_args__ = (
        one_of("state", QuestionState),
        Index("ix_call_questions_call_id", "call_id", "asked_at"),
        Index(
            "uq_call_questions_asked",
            "call_id",
            unique=True,
            postgresql_where=text("state = 'asked'"),
        ),
    )

    id: Mapped[Identifier]
    call_id: Mapped[UUID] = mapped_column(ForeignKey("calls.id"))
    code: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="asked")
    # The answer that a key stands for: part of what a child told.
    answer_sealed: Mapped[Sealed | None]
    asked_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    asked_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]


class VoiceMessage(Base):
    """A message that a caller left when no counsellor took the call; the audio is sealed."""

    __tablename__ = "voice_messages"
    __table_args__ = (
        one_of("state", MessageState),
        Index("ix_voice_messages_state", "state"),
        Index(
            "ix_voice_messages_untaken",
            "created_at",
            postgresql_where=text("taken_at IS NULL AND heard_at IS NULL"),
        ),
    )

    id: Mapped[Identifier]
    call_id: Mapped[UUID] = mapped_column(ForeignKey("calls.id"), index=True)
    recording_sid: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(server_default="recorded")
    seconds: Mapped[int | None]
    audio_sealed: Mapped[Sealed | None]
    audio_type: Mapped[str | None]
    created_at: Mapped[datetime]
    provider_deleted_at: Mapped[datetime | None]
    # Who is responsible for it, from its arrival until it is done.
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    # When a person took it, and did not only get it from the program.
    taken_at: Mapped[datetime | None]
    # When it was heard and marked as done.
    heard_at: Mapped[datetime | None]
    heard_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    # When its time was over and the sound was erased.
    erased_at: Mapped[datetime | None]
