"""The tables of the rota: shifts, changes, open shifts, holidays, alarms about uncovered shifts."""

from datetime import date, datetime, time
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Date, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, KeyedHash, one_of
from app.routing.rota.on_duty import ChangeKind
from app.routing.rota.shifts import Layer, OnHolidays


class RotaChangeState(StrEnum):
    """How far a change of the rota is. Only a swap between counsellors begins as asked."""

    ASKED = "asked"
    IN_FORCE = "in_force"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


# A change in these states is not over yet: it counts now, or once a colleague agrees.
LIVE = (RotaChangeState.ASKED, RotaChangeState.IN_FORCE)


class CoverageKind(StrEnum):
    """When supervisors are told of an uncovered shift: ahead of it, or once it has begun."""

    AHEAD = "ahead"
    BEGUN = "begun"


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
    """An absence, an extra stretch or a swap; see `on_duty.py` for what they mean.

    A swap that a counsellor asks a colleague for is in force once the colleague has agreed.
    """

    __tablename__ = "rota_changes"
    __table_args__ = (
        one_of("kind", ChangeKind),
        one_of("layer", Layer),
        one_of("state", RotaChangeState),
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
    """Duty that has no person yet; people sign up for it, one for each place."""

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


class UncoveredShift(Base):
    """An uncovered shift of a line in a language, about which supervisors were told."""

    __tablename__ = "coverage_alarms"
    __table_args__ = (
        one_of("kind", CoverageKind),
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
