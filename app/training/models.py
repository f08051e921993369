"""The tables of practice calls: the practice, what was done in it, and remarks about it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, Sealed, one_of
from app.training.scenarios import CounsellorAct
from app.training.script import Ended


class Practice(Base):
    """A practice of a trainee with a scripted child, who rings or writes."""

    __tablename__ = "practices"
    __table_args__ = (
        one_of("ended_how", Ended),
        CheckConstraint("(ended_at IS NULL) = (ended_how IS NULL)", name="ended"),
        # A trainee practises one call at a time.
        Index(
            "uq_practices_trainee_id",
            "trainee_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_practices_trainee_id_started_at", "trainee_id", "started_at"),
        Index("ix_practices_team_started_at", "team", "started_at"),
    )

    id: Mapped[Identifier]
    trainee_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    # The trainee's team at that time: its supervisors see the practice.
    team: Mapped[str]
    scenario: Mapped[str]
    # The file of the scenario as it was, so that it is always read as it was played.
    script: Mapped[str]
    language: Mapped[str]
    # The child writes instead of ringing.
    written: Mapped[bool] = mapped_column(server_default="false")
    started_at: Mapped[datetime]
    call_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("calls.id", ondelete="SET NULL"), unique=True
    )
    ended_at: Mapped[datetime | None]
    ended_how: Mapped[str | None]
    # How long each side spoke, as the exchange measured it; see `measured.py`.
    measured: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class PracticeAct(Base):
    """One act of the counsellor in a practice: what was asked or said, and who noted it."""

    __tablename__ = "practice_acts"
    __table_args__ = (one_of("act", CounsellorAct), CheckConstraint("number > 0", name="number"))

    practice_id: Mapped[UUID] = mapped_column(
        ForeignKey("practices.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    act: Mapped[str]
    topic: Mapped[str | None]


class PracticeRemark(Base):
    """What the trainee or a supervisor wrote about a practice. It is sealed."""

    __tablename__ = "practice_remarks"

    id: Mapped[Identifier]
    practice_id: Mapped[UUID] = mapped_column(
        ForeignKey("practices.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime]
    by_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    words_sealed: Mapped[Sealed]
