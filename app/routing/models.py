"""The rota, the counsellors' presence, and the offers."""

from datetime import date, datetime, time
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, one_of


class PresenceState(StrEnum):
    OFF_DUTY = "off_duty"
    AVAILABLE = "available"
    OFFERED = "offered"
    ON_CALL = "on_call"
    WRAP_UP = "wrap_up"
    BREAK = "break"
    AWAY = "away"


# What a counsellor may choose; the rest follows from what happens.
CHOICES = (PresenceState.AVAILABLE, PresenceState.BREAK, PresenceState.OFF_DUTY)


class OfferState(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    CONNECTED = "connected"
    DECLINED = "declined"
    MISSED = "missed"
    WITHDRAWN = "withdrawn"


class ShiftRow(Base):
    """A recurrence of a counsellor's duty; see `shifts.py` for what it means."""

    __tablename__ = "shifts"
    __table_args__ = (
        CheckConstraint("minutes > 0 AND minutes <= 1440", name="minutes"),
        CheckConstraint("last_on IS NULL OR last_on >= first_on", name="last_on"),
    )

    id: Mapped[Identifier]
    counsellor_id: Mapped[UUID] = mapped_column(
        ForeignKey("staff.id", ondelete="CASCADE"), index=True
    )
    recurrence: Mapped[str | None]
    starts_at: Mapped[time]
    minutes: Mapped[int]
    timezone: Mapped[str]
    first_on: Mapped[date]
    last_on: Mapped[date | None]
    created_at: Mapped[datetime]


class Presence(Base):
    """What a counsellor is doing now. `after_call` is what they chose for afterwards."""

    __tablename__ = "presences"
    __table_args__ = (
        one_of("state", PresenceState),
        one_of("after_call", CHOICES),
        Index("ix_presences_state", "state"),
    )

    counsellor_id: Mapped[UUID] = mapped_column(
        ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True
    )
    state: Mapped[str] = mapped_column(server_default="off_duty")
    since: Mapped[datetime]
    idle_since: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    # The end of wrap-up.
    until_at: Mapped[datetime | None]
    after_call: Mapped[str | None]
    missed: Mapped[int] = mapped_column(server_default="0")
    # Why the program set the state, shown to the counsellor.
    cause: Mapped[str] = mapped_column(server_default="")


class PresenceChange(Base):
    """Every change of presence, for the log and for occupancy. Append-only."""

    __tablename__ = "presence_changes"
    __table_args__ = (
        one_of("before", PresenceState),
        one_of("after", PresenceState),
        Index("ix_presence_changes_counsellor_id", "counsellor_id", "id"),
        Index("ix_presence_changes_of", "counsellor_id", "at"),
        Index("ix_presence_changes_at", "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    counsellor_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime]
    before: Mapped[str]
    after: Mapped[str]
    cause: Mapped[str]


class Offer(Base):
    """A call offered to a counsellor. It holds both until `released_at`.

    The two partial unique indexes are invariant 3: a call has at most one
    accepted offer, a counsellor at most one open offer or live call.
    """

    __tablename__ = "offers"
    __table_args__ = (
        one_of("state", OfferState),
        CheckConstraint(
            "(state IN ('declined', 'missed', 'withdrawn')) <= (released_at IS NOT NULL)",
            name="released",
        ),
        CheckConstraint("state <> 'connected' OR connected_at IS NOT NULL", name="connected_at"),
        Index(
            "uq_offers_counsellor_held",
            "counsellor_id",
            unique=True,
            postgresql_where=text("released_at IS NULL"),
        ),
        Index(
            "uq_offers_call_accepted",
            "call_id",
            unique=True,
            postgresql_where=text("released_at IS NULL AND state IN ('accepted', 'connected')"),
        ),
        Index("ix_offers_call_id", "call_id"),
        Index("ix_offers_opened_at", "opened_at"),
        Index(
            "ix_offers_talks",
            "counsellor_id",
            "released_at",
            postgresql_where=text("connected_at IS NOT NULL"),
        ),
    )

    id: Mapped[Identifier]
    call_id: Mapped[UUID] = mapped_column(ForeignKey("calls.id"))
    counsellor_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    state: Mapped[str] = mapped_column(server_default="open")
    opened_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    connected_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]
    # The conference of this offer: an opaque name, and the provider's own id of it.
    conference_sid: Mapped[str | None] = mapped_column(index=True)
    # The counsellor is in and the caller was asked for; the counsellor says the talk is over.
    move_wanted_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    # When the provider was asked whether the two are connected.
    asked_at: Mapped[datetime | None]
