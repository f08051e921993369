"""The rota and its alarms, the counsellors' presence, and the offers."""

from datetime import date, datetime, time
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Identity,
    Index,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, KeyedHash, Sealed, one_of
from app.outbox.rows import SentOnce
from app.outbox.states import OF_REQUESTS
from app.routing.rota.on_duty import ChangeKind
from app.routing.rota.shifts import Layer, OnHolidays


class PresenceState(StrEnum):
    OFF_DUTY = "off_duty"
    AVAILABLE = "available"
    OFFERED = "offered"
    ON_CALL = "on_call"
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


class ShiftRow(Base):
    """A recurrence of a counsellor's duty; see `shifts.py` for what it means."""

    __tablename__ = "shifts"
    __table_args__ = (
        one_of("layer", Layer),
        one_of("on_holidays", OnHolidays),
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
    layer: Mapped[str] = mapped_column(server_default="primary")
    on_holidays: Mapped[str] = mapped_column(server_default="works")
    except_on: Mapped[list[date]] = mapped_column(ARRAY(Date), server_default="{}")
    created_at: Mapped[datetime]


class RotaChange(Base):
    """An absence, an extra stretch or a swap; see `rota.py` for what they mean.

    A swap that a counsellor asks a colleague for is in force once the colleague has agreed.
    """

    __tablename__ = "rota_changes"
    __table_args__ = (
        one_of("kind", ChangeKind),
        one_of("layer", Layer),
        one_of("state", ("asked", "in_force", "refused", "withdrawn")),
        CheckConstraint("from_at < until_at", name="until_at"),
        CheckConstraint("(kind = 'swap') = (instead_id IS NOT NULL)", name="instead"),
        CheckConstraint("instead_id <> counsellor_id", name="another_person"),
        Index("ix_rota_changes_until_at", "until_at"),
        # A person signs up once; of two clicks the second is refused.
        Index(
            "uq_rota_changes_open_shift",
            "open_shift_id",
            "counsellor_id",
            unique=True,
            postgresql_where=text("open_shift_id IS NOT NULL AND state = 'in_force'"),
        ),
    )

    id: Mapped[Identifier]
    kind: Mapped[str]
    counsellor_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    instead_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    layer: Mapped[str] = mapped_column(server_default="primary")
    from_at: Mapped[datetime]
    until_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str]
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    made_at: Mapped[datetime]
    # When it came into force, was refused or withdrawn. Changes are applied in this order.
    settled_at: Mapped[datetime | None]
    # The open shift for which the person has signed up.
    open_shift_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("open_shifts.id", ondelete="SET NULL")
    )


class OpenShift(Base):
    """Duty that has no person yet; so many people can sign up for it."""

    __tablename__ = "open_shifts"
    __table_args__ = (
        one_of("layer", Layer),
        CheckConstraint("from_at < until_at", name="until_at"),
        CheckConstraint("places >= 1 AND places <= 20", name="places"),
        Index("ix_open_shifts_until_at", "until_at"),
    )

    id: Mapped[Identifier]
    from_at: Mapped[datetime]
    until_at: Mapped[datetime]
    layer: Mapped[str]
    places: Mapped[int]
    # The language that a person must speak, if one.
    language: Mapped[str | None]
    note: Mapped[str] = mapped_column(server_default="")
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    made_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]


class Holiday(Base):
    """A holiday of our own, or (`free` is false) a public holiday that is a working day here."""

    __tablename__ = "holidays"

    on: Mapped[date] = mapped_column("held_on", primary_key=True)
    name: Mapped[str]
    free: Mapped[bool] = mapped_column(server_default="true")


class CoverageAlarm(Base):
    """An uncovered shift of a line in a language, about which supervisors were told."""

    __tablename__ = "coverage_alarms"
    __table_args__ = (
        one_of("kind", ("ahead", "begun")),
        Index("ix_coverage_alarms_until_at", "until_at"),
    )

    id: Mapped[Identifier]
    line_id: Mapped[UUID] = mapped_column(ForeignKey("lines.id", ondelete="CASCADE"))
    language: Mapped[str]
    kind: Mapped[str]
    from_at: Mapped[datetime]
    until_at: Mapped[datetime]
    told_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]
    seen_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))


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


# They are about no line in particular; the oldest one stands for the helpline.
VOLUME = (AlarmKind.DIALLING_HOUR, AlarmKind.DIALLING_DAY)


class Alarm(Base):
    """A person has to act: a line has no counsellor, danger is on record without any action, or
    more is dialled than usual.

    At most one for each line and language, or for each kind and record, at a time. `round`, `step`
    and `phone` say where the escalation stands, as for an urgent referral; `turn` grows with each
    step, so that a late job does nothing.
    """

    __tablename__ = "alarms"
    __table_args__ = (
        one_of("kind", AlarmKind),
        CheckConstraint("(line_id IS NULL) <> (subject_id IS NULL)", name="about"),
        Index(
            "uq_alarms_open_line",
            "line_id",
            "language",
            unique=True,
            postgresql_where=text("ended_at IS NULL AND line_id IS NOT NULL"),
        ),
        Index(
            "uq_alarms_open_subject",
            "subject_id",
            "kind",
            unique=True,
            postgresql_where=text("ended_at IS NULL AND subject_id IS NOT NULL"),
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
        one_of("kind", ("phone", "sms", "email")),
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


class CalendarFeed(Base):
    """A secret address of a counsellor's own calendar; it can be revoked."""

    __tablename__ = "calendar_feeds"
    __table_args__ = (
        Index(
            "uq_calendar_feeds_staff_id",
            "staff_id",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )

    id: Mapped[Identifier]
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    token_key: Mapped[KeyedHash] = mapped_column(unique=True)
    made_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


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

    @property
    def room(self) -> UUID:
        """Return the name of the conference."""
        return self.room_id or self.id
