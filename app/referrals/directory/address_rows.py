"""Changes of where an agency is reached, as rows."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, Sealed, one_of
from app.staff.second_person import ChangeState


class AddressField(StrEnum):
    """The address, or the secret, by which an agency is reached.

    In the order in which changes come into force: a new address drops the secret of the old one.
    """

    EMAIL = "email"
    SMS = "sms"
    DUTY_PHONES = "duty_phones"
    WEBHOOK_URL = "webhook_url"
    PRIMERO = "primero"
    WEBHOOK_SECRET = "webhook_secret"
    PRIMERO_PASSWORD = "primero_password"


class AddressChange(Base):
    """One changed address or secret. Until a second person approves it, nothing is sent there."""

    __tablename__ = "address_changes"
    __table_args__ = (
        one_of("field", AddressField),
        one_of("state", ChangeState),
        Index(
            "uq_address_changes_waits",
            "agency_id",
            "field",
            unique=True,
            postgresql_where=text("state = 'waits'"),
        ),
    )

    id: Mapped[Identifier]
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agencies.id"))
    field: Mapped[str]
    # The new and the former value; for a secret, neither.
    value: Mapped[Any | None] = mapped_column(JSONB)
    before: Mapped[Any | None] = mapped_column(JSONB)
    secret_sealed: Mapped[Sealed | None]
    # Where the agency was written to before; it is told of the change there.
    former_email: Mapped[str | None]
    state: Mapped[str]
    # Empty: the command line.
    asked_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    asked_role: Mapped[str]
    asked_at: Mapped[datetime]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    decided_at: Mapped[datetime | None]
