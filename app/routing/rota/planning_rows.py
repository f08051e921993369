"""Tables of planning: when people can work, proposed rotas, and weeks kept as templates."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, one_of
from app.routing.rota.shifts import Layer


class WorkingTimes(Base):
    """How much a person works in a week, and when they can: what a proposed rota keeps to.

    `available` holds pairs of minutes from Monday midnight on the wall; None is any time.
    """

    __tablename__ = "working_times"
    __table_args__ = (CheckConstraint("minutes >= 0 AND minutes <= 10080", name="minutes"),)

    staff_id: Mapped[UUID] = mapped_column(
        ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True
    )
    minutes: Mapped[int]
    available: Mapped[list[list[int]] | None] = mapped_column(JSONB)
    changed_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    changed_at: Mapped[datetime]


class ProposalState(StrEnum):
    ASKED = "asked"
    READY = "ready"
    # Everything in it is accepted or discarded.
    DECIDED = "decided"
    FAILED = "failed"


class RotaProposal(Base):
    """A rota for coming weeks that is only proposed: nothing of it is in force."""

    __tablename__ = "rota_proposals"
    __table_args__ = (
        one_of("state", ProposalState),
        CheckConstraint("weeks >= 1 AND weeks <= 4", name="weeks"),
        # Of two planners who ask at once the second is told.
        Index(
            "uq_rota_proposals_open",
            text("(true)"),
            unique=True,
            postgresql_where=text("state IN ('asked', 'ready')"),
        ),
    )

    id: Mapped[Identifier]
    first_on: Mapped[date]
    weeks: Mapped[int]
    state: Mapped[str]
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    made_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    # Whether the search ended at its time limit.
    stopped: Mapped[bool] = mapped_column(server_default="false")
    # The hours that are not covered, and why each person could not take them; people by their id.
    uncovered: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default="[]")


class DutyState(StrEnum):
    """What became of a proposed stretch of duty."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    DISCARDED = "discarded"


class ProposedDuty(Base):
    """One stretch of a proposed rota."""

    __tablename__ = "proposed_duties"
    __table_args__ = (
        one_of("state", DutyState),
        CheckConstraint("from_at < until_at", name="until_at"),
        Index("ix_proposed_duties_proposal_id", "proposal_id"),
    )

    id: Mapped[Identifier]
    proposal_id: Mapped[UUID] = mapped_column(ForeignKey("rota_proposals.id", ondelete="CASCADE"))
    counsellor_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    from_at: Mapped[datetime]
    until_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(server_default="proposed")


class WeekTemplate(Base):
    """A week of duty under a name, to be put on other weeks."""

    __tablename__ = "week_templates"

    id: Mapped[Identifier]
    name: Mapped[str] = mapped_column(unique=True)
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    made_at: Mapped[datetime]


class TemplateDuty(Base):
    """One stretch of a template: minutes from Monday midnight, on the clock on the wall."""

    __tablename__ = "week_template_duties"
    __table_args__ = (
        one_of("layer", Layer),
        CheckConstraint("from_minute >= 0 AND from_minute < 10080", name="from_minute"),
        CheckConstraint("until_minute > from_minute", name="until_minute"),
        Index("ix_week_template_duties_template_id", "template_id"),
    )

    id: Mapped[Identifier]
    template_id: Mapped[UUID] = mapped_column(ForeignKey("week_templates.id", ondelete="CASCADE"))
    counsellor_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    from_minute: Mapped[int]
    until_minute: Mapped[int]
    layer: Mapped[str]
