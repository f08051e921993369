"""Numbers of partners that wait for a second person, as rows."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, one_of
from app.staff.second_person import ChangeState


class PartnerRequest(Base):
    """The number at which a line's callers are to reach its partner; of each line at most one
    waits."""

    __tablename__ = "partner_requests"
    __table_args__ = (
        one_of("state", ChangeState),
        CheckConstraint(
            "state <> 'in_force' OR decided_by IS NULL OR asked_by IS NULL"
            " OR decided_by <> asked_by",
            name="two_people",
        ),
        Index(
            "uq_partner_requests_waits",
            "line_id",
            unique=True,
            postgresql_where=text("state = 'waits'"),
        ),
    )

    id: Mapped[Identifier]
    line_id: Mapped[UUID] = mapped_column(ForeignKey("lines.id", ondelete="CASCADE"))
    number: Mapped[str]
    # The number that is rung until then.
    before: Mapped[str | None]
    state: Mapped[str]
    asked_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    asked_role: Mapped[str]
    asked_at: Mapped[datetime]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    decided_at: Mapped[datetime | None]
