"""The tables of retention: rules, legal holds, what was erased when, and the nights of the job."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, Sealed, one_of
from app.retention.kinds import DataKind, Decider, HeldKind


class RetentionRule(Base):
    """For how many days a kind of data is kept, and who has decided so; NULL: for ever.

    For a rule that has gone back to the default of the program, only what waits counts: the default
    may change.
    """

    __tablename__ = "retention_rules"
    __table_args__ = (
        one_of("kind", DataKind),
        one_of("decided_by", Decider),
        CheckConstraint("days >= 1", name="days"),
        CheckConstraint("(next_days IS NULL) = (next_at IS NULL) AND next_days >= 1", name="next"),
    )

    kind: Mapped[str] = mapped_column(primary_key=True)
    decided_by: Mapped[str]
    days: Mapped[int | None]
    # A shorter rule, and from when on it holds in place of the one above.
    next_days: Mapped[int | None]
    next_at: Mapped[datetime | None]
    # Grows with each change, so that of two at once the second is told.
    revision: Mapped[int] = mapped_column(server_default="0")


class LegalHold(Base):
    """A record that is not erased, whatever the rule says, until the hold is lifted."""

    __tablename__ = "legal_holds"
    __table_args__ = (
        one_of("subject_kind", HeldKind),
        # One hold at a time; a lifted one stays.
        Index(
            "uq_legal_holds_subject_id",
            "subject_id",
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    id: Mapped[Identifier]
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID]
    reason_sealed: Mapped[Sealed]
    held_at: Mapped[datetime]
    # NULL: on the command line.
    held_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    lifted_at: Mapped[datetime | None]
    # Kept as evidence of who lifted it. NULL: not lifted, or on the command line.
    lifted_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))


class Erasure(Base):
    """A receipt: how many rows of a kind one run erased, and by which rule. Nothing of a child."""

    __tablename__ = "erasures"
    __table_args__ = (one_of("kind", DataKind), Index("ix_erasures_at", "at"))

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    # The time of the last batch; each batch adds its rows in the transaction that erases them.
    at: Mapped[datetime]
    rows: Mapped[int]
    days: Mapped[int]
    # When the line of the log was written, at the end of the run.
    logged_at: Mapped[datetime | None]


class ErasureNight(Base):
    """A night whose job was asked for, so that any number of workers ask for it once."""

    __tablename__ = "erasure_nights"

    # The local date of the helpline.
    night: Mapped[date] = mapped_column(Date, primary_key=True)
    run_id: Mapped[UUID]
    begun_at: Mapped[datetime]
