"""The tables of emergency access: who asked for it, who confirmed it, and the review."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, Sealed, one_of


class EmergencyKind(StrEnum):
    """What is opened."""

    # The accounts: no administrator can sign in.
    ACCOUNTS = "accounts"
    # One contact or case, whose readers are all away.
    RECORD = "record"


class SubjectKind(StrEnum):
    """What kind of record an emergency access opens."""

    CONTACT = "contact"
    CASE = "case"


class EmergencyState(StrEnum):
    ASKED = "asked"
    OPEN = "open"
    ENDED = "ended"
    REFUSED = "refused"
    # It was not confirmed in time.
    LAPSED = "lapsed"


# It is asked for, or open.
LIVE = (EmergencyState.ASKED, EmergencyState.OPEN)


class Emergency(Base):
    """One emergency access."""

    __tablename__ = "emergencies"
    __table_args__ = (
        one_of("kind", EmergencyKind),
        one_of("state", EmergencyState),
        CheckConstraint("(kind = 'record') = (subject_id IS NOT NULL)", name="subject"),
        CheckConstraint("decided_by IS NULL OR decided_by <> asked_by", name="two_people"),
        # One at a time for the accounts, and one for each person who asks.
        Index(
            "uq_emergencies_accounts",
            "kind",
            unique=True,
            postgresql_where=text("kind = 'accounts' AND state IN ('asked', 'open')"),
        ),
        Index(
            "uq_emergencies_asked_by",
            "asked_by",
            unique=True,
            postgresql_where=text("state IN ('asked', 'open')"),
        ),
        Index("ix_emergencies_asked_at", "asked_at"),
    )

    id: Mapped[Identifier]
    kind: Mapped[str]
    state: Mapped[str]
    # A `SubjectKind`, and the id of the record.
    subject_kind: Mapped[str | None]
    subject_id: Mapped[UUID | None]
    ground_sealed: Mapped[Sealed]
    minutes: Mapped[int]
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    asked_role: Mapped[str]
    asked_at: Mapped[datetime]
    confirm_until: Mapped[datetime]
    # Who confirmed or refused it.
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    decided_role: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    # NULL: its time was over.
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    # The account that acts on the accounts.
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    # What it could change, as it was when the access was opened; NULL once that has gone back.
    before_sealed: Mapped[Sealed | None]
    settings_back_at: Mapped[datetime | None]
    reviewed_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    reviewed_at: Mapped[datetime | None]
    fitting: Mapped[bool | None]
    review_sealed: Mapped[Sealed | None]


class EmergencySeen(Base):
    """A person who has seen the alarm of an emergency: it sounds no more on their pages."""

    __tablename__ = "emergencies_seen"

    emergency_id: Mapped[UUID] = mapped_column(
        ForeignKey("emergencies.id", ondelete="CASCADE"), primary_key=True
    )
    staff_id: Mapped[UUID] = mapped_column(
        ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True
    )
    # The state that was seen: another one sounds again.
    state: Mapped[str] = mapped_column(primary_key=True)
