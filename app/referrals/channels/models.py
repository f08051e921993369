"""What is sent to an agency: attempts to reach a person, their links, and events of programs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, MatchHash, Sealed, one_of
from app.outbox.channels import MESSAGES
from app.outbox.rows import SentOnce
from app.outbox.states import OF_REQUESTS
from app.referrals.states import (
    AgencyCaseState,
    AttemptResult,
    DeliveryState,
    Purpose,
)


class Attempt(SentOnce, Base):
    """One attempt to reach a person."""

    __tablename__ = "attempts"
    __table_args__ = (
        one_of("kind", MESSAGES),
        one_of("purpose", Purpose),
        one_of("sending", OF_REQUESTS),
        one_of("result", AttemptResult),
        UniqueConstraint("referral_id", "number"),
        Index("ix_attempts_open", "wanted_at", postgresql_where=text("ended_at IS NULL")),
        Index("ix_attempts_target", "referral_id", "target"),
    )

    id: Mapped[Identifier]
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referrals.id"))
    # NULL if it goes to our own people on call.
    recipient_id: Mapped[UUID | None] = mapped_column(ForeignKey("recipients.id"))
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agencies.id"))
    number: Mapped[int]
    turn: Mapped[int]
    round: Mapped[int] = mapped_column(server_default="0")
    purpose: Mapped[str] = mapped_column(server_default="escalation")
    kind: Mapped[str]
    # What only the message itself may hold: a link's token, a code. Deleted once it is sent.
    payload_sealed: Mapped[Sealed | None]
    # The number or address at the time of the attempt.
    target: Mapped[str]
    language: Mapped[str]
    seconds: Mapped[int] = mapped_column(server_default="30")
    # How many children the attempt asks about.
    children: Mapped[int] = mapped_column(server_default="1")
    wanted_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    result: Mapped[str | None]
    # How often its message was sent: an e-mail that is refused for now is sent again.
    sends: Mapped[int] = mapped_column(server_default="0")


class Link(Base):
    """A single-use link for one step, with an expiry time; only its hash is kept."""

    __tablename__ = "links"
    __table_args__ = (Index("ix_links_recipient_id", "recipient_id"),)

    token_key: Mapped[MatchHash] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referrals.id"))
    recipient_id: Mapped[UUID | None] = mapped_column(ForeignKey("recipients.id"))
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agencies.id"))
    # The channel by which the link was sent; its code goes by another.
    channel: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    # Kept as evidence of the step that the agency took with it.
    used_for: Mapped[str | None]
    # The id of the link with which the code is hashed: this link, or the one before it.
    code_of: Mapped[UUID]
    code_key: Mapped[MatchHash | None]
    code_channel: Mapped[str | None]
    # The addresses to which the link and its code went; None if not known.
    sent_to: Mapped[str | None]
    code_sent_to: Mapped[str | None]
    # Until then the code counts; a new one can be asked for.
    code_until: Mapped[datetime | None]
    code_attempts: Mapped[int] = mapped_column(server_default="0")
    # Until then the browser in which the code was entered shows the child's details.
    proven_until: Mapped[datetime | None]
    proof_key: Mapped[MatchHash | None]
    # By which channel that code came, which may be that of another link. None: as `code_channel`.
    proof_channel: Mapped[str | None]


class Delivery(Base):
    """An event on its way to an agency's own system; in order per referral, until it arrives."""

    __tablename__ = "deliveries"
    __table_args__ = (
        one_of("state", DeliveryState),
        UniqueConstraint("agency_id", "referral_id", "sequence"),
        Index("ix_deliveries_state", "state", "created_at"),
    )

    id: Mapped[Identifier]
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agencies.id"))
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referrals.id"))
    sequence: Mapped[int]
    kind: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(server_default="waiting")
    created_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default="0")
    last_attempt_at: Mapped[datetime | None]
    last_response: Mapped[str] = mapped_column(server_default="")
    ended_at: Mapped[datetime | None]


class ReceivedEvent(Base):
    """An event that an agency's system sent us; a repeat finds this row and changes nothing."""

    __tablename__ = "received_events"

    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agencies.id"), primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referrals.id"))
    at: Mapped[datetime]
    sequence: Mapped[int]
    kind: Mapped[str]
    response: Mapped[dict[str, Any]] = mapped_column(JSONB)


class AgencyCase(Base):
    """The case and referral in another case management system that stand for a recipient."""

    __tablename__ = "agency_cases"
    __table_args__ = (one_of("state", AgencyCaseState),)

    recipient_id: Mapped[UUID] = mapped_column(ForeignKey("recipients.id"), primary_key=True)
    # An id of ours, used as the id of their case, so that a repeat is recognised.
    case_id: Mapped[UUID] = mapped_column(unique=True)
    service_id: Mapped[UUID]
    their_referral: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="wanted")
    their_status: Mapped[str | None]
    mapping: Mapped[str]
    # Kept as evidence of how the answers were translated that went there. 0: none went yet.
    mapping_version: Mapped[int]
    problem: Mapped[str] = mapped_column(server_default="")
    # Answers for which the other system has no term: questions, or a question and its code.
    left_out: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    asked_at: Mapped[datetime | None]
