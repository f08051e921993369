"""Accounts that would read children's records and wait for a second person, as rows."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, one_of
from app.staff.models import AccessKind
from app.staff.second_person import ChangeState


class AccessRequest(Base):
    """One request; for each account at most one waits."""

    __tablename__ = "access_requests"
    __table_args__ = (
        one_of("kind", AccessKind),
        one_of("state", ChangeState),
        CheckConstraint("(kind = 'identity') = (subject IS NOT NULL)", name="subject"),
        CheckConstraint("(kind = 'phone_code') = (code_hash IS NOT NULL)", name="code"),
        CheckConstraint("(issuer IS NULL) = (subject IS NULL)", name="issuer"),
        # An administrator may refuse what they have asked, and no account approves its own access.
        CheckConstraint(
            "state <> 'in_force' OR decided_by IS NULL"
            " OR (decided_by <> staff_id AND (asked_by IS NULL OR decided_by <> asked_by))",
            name="two_people",
        ),
        Index(
            "uq_access_requests_waits",
            "staff_id",
            unique=True,
            postgresql_where=text("state = 'waits'"),
        ),
    )

    id: Mapped[Identifier]
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    kind: Mapped[str]
    state: Mapped[str]
    # As the account was when it was asked: it takes effect only if it still is.
    revision: Mapped[int]
    role_before: Mapped[str]
    # What the account is to have; NULL: as it is.
    role: Mapped[str | None]
    email: Mapped[str | None]
    team: Mapped[str | None]
    endpoint: Mapped[str | None]
    # The hash of the code that proves its phone once the request is approved.
    code_hash: Mapped[str | None]
    link_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("password_links.id", ondelete="SET NULL")
    )
    issuer: Mapped[str | None]
    subject: Mapped[str | None]
    # NULL: the provider or a directory, which is then the role.
    asked_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    asked_role: Mapped[str]
    asked_at: Mapped[datetime]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    decided_at: Mapped[datetime | None]
