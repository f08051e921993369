"""The tables of the counsellors' presence, and of the offers."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, KeyedHash, one_of


class PresenceState(StrEnum):
    OFF_DUTY = "off_duty"
    AVAILABLE = "available"
    OFFERED = "offered"
    ON_CALL = "on_call"
    # Has written conversations, and no call.
    WRITING = "writing"
    WRAP_UP = "wrap_up"
    BREAK = "break"
    AWAY = "away"


# The states that a counsellor may choose; the program sets the others.
CHOICES = (PresenceState.AVAILABLE, PresenceState.BREAK, PresenceState.OFF_DUTY)


class TelephoneState(StrEnum):
    """What the telephone in a counsellor's page is doing, as the page says."""

    OFF = "off"
    ASKING = "asking"
    READY = "ready"
    RINGING = "ringing"
    TALKING = "talking"
    RECONNECTING = "reconnecting"
    NO_MICROPHONE = "no_microphone"
    ELSEWHERE = "elsewhere"
    FAILED = "failed"


class OfferState(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    CONNECTED = "connected"
    DECLINED = "declined"
    MISSED = "missed"
    WITHDRAWN = "withdrawn"


class AnsweredOn(StrEnum):
    """Where a counsellor accepts or declines an offer."""

    BOARD = "board"
    PHONE = "phone"


class Presence(Base):
    """What a counsellor is doing now. `after_call`: the state they chose for after the call."""

    __tablename__ = "presences"
    __table_args__ = (
        one_of("state", PresenceState),
        one_of("after_call", CHOICES),
        one_of("telephone", TelephoneState),
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
    # When the last counsellor on duty was warned of missed calls. Set away only after that.
    warned_at: Mapped[datetime | None]
    # Why the program set the state, shown to the counsellor.
    cause: Mapped[str] = mapped_column(server_default="")
    # The telephone in a browser: its state, since when, and the page that has it. See
    # `telephones.py`.
    telephone: Mapped[str] = mapped_column(server_default="off")
    telephone_at: Mapped[datetime | None]
    telephone_page: Mapped[str | None]
    # The key of the session of that page; unset if the page has not said it yet.
    telephone_session: Mapped[KeyedHash | None]


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

    The partial unique indexes are invariant 3: a call has at most one accepted offer, a counsellor
    at most one open offer of a call or live call, and one conversation in each slot.
    """

    __tablename__ = "offers"
    __table_args__ = (
        one_of("state", OfferState),
        CheckConstraint(
            "(state IN ('declined', 'missed', 'withdrawn')) <= (released_at IS NOT NULL)",
            name="released",
        ),
        CheckConstraint("state <> 'connected' OR connected_at IS NOT NULL", name="connected_at"),
        CheckConstraint("slot >= 1", name="slot"),
        Index(
            "uq_offers_counsellor_held",
            "counsellor_id",
            unique=True,
            postgresql_where=text("released_at IS NULL AND slot IS NULL"),
        ),
        Index(
            "uq_offers_counsellor_slot",
            "counsellor_id",
            "slot",
            unique=True,
            postgresql_where=text("released_at IS NULL AND slot IS NOT NULL"),
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
        Index("ix_offers_kept_on_desk", "counsellor_id", postgresql_where=text("kept_on_desk")),
        Index(
            "ix_offers_kept_for_id",
            "kept_for_id",
            postgresql_where=text("kept_for_id IS NOT NULL"),
        ),
    )

    id: Mapped[Identifier]
    call_id: Mapped[UUID] = mapped_column(ForeignKey("calls.id"))
    counsellor_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    # The place of a written conversation among those that the counsellor has at once, from 1.
    slot: Mapped[int | None]
    state: Mapped[str] = mapped_column(server_default="open")
    opened_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    connected_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]
    # A written conversation that ended without its counsellor, who has not put it away yet.
    kept_on_desk: Mapped[bool] = mapped_column(server_default="false")
    # The colleague on whose desk it is, if its counsellor's account has ended.
    kept_for_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    # After a hand-over the talk goes on in the conference of the offer by which it began.
    room_id: Mapped[UUID | None] = mapped_column(ForeignKey("offers.id"), index=True)
    muted_at: Mapped[datetime | None]
    # The provider's id of this offer's conference.
    conference_sid: Mapped[str | None] = mapped_column(index=True)
    # The counsellor is in and the caller's move was asked for; the counsellor ended the talk.
    move_wanted_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    # When the counsellor's line broke; they are rung again for a while.
    lost_at: Mapped[datetime | None]
    # When the talk was last carried over to new legs, ahead of the provider's time limit.
    carried_at: Mapped[datetime | None]
    # When the provider was asked whether the two are connected.
    asked_at: Mapped[datetime | None]
    # When the counsellor's second phone is due to ring because the browser has not answered,
    # and since when it rings or has the call. See `second_phone.py`.
    second_due_at: Mapped[datetime | None]
    second_at: Mapped[datetime | None]

    @property
    def room(self) -> UUID:
        """Return the name of the conference."""
        return self.room_id or self.id
