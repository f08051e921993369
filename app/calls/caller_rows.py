"""The tables of what is kept of a caller: flags, and wishes about counsellors."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, CallerHash, Identifier, Sealed, one_of


class FlagKind(StrEnum):
    BLOCKED = "blocked"
    AT_RISK = "at_risk"
    TEST_CALLER = "test_caller"


class WishKind(StrEnum):
    PREFER = "prefer"
    NEVER = "never"


class CallerFlag(Base):
    """Something that the counsellor who takes a number's next call must know; it expires."""

    __tablename__ = "caller_flags"
    __table_args__ = (
        one_of("kind", FlagKind),
        CheckConstraint("expires_at > made_at", name="expires_at"),
        Index("ix_caller_flags_caller_key", "caller_key"),
    )

    id: Mapped[Identifier]
    caller_key: Mapped[CallerHash]
    kind: Mapped[str]
    reason_sealed: Mapped[Sealed]
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]
    # Kept as evidence of who lifted it.
    lifted_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))


class CallerWish(Base):
    """A counsellor whom a caller asked for, or never wants to talk with again."""

    __tablename__ = "caller_wishes"
    __table_args__ = (
        one_of("wish", WishKind),
        Index("ix_caller_wishes_caller_key", "caller_key"),
    )

    id: Mapped[Identifier]
    caller_key: Mapped[CallerHash]
    counsellor_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    wish: Mapped[str]
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
