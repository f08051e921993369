"""The directory of agencies: where each is reached, and for what it has a mandate."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, Sealed, one_of
from app.referrals.states import Sector


class Agency(Base):
    """An agency that can be asked to help a child. Its staff are not kept, only duty phones."""

    __tablename__ = "agencies"
    __table_args__ = (
        one_of("sector", Sector),
        CheckConstraint("age_from IS NULL OR age_to IS NULL OR age_from <= age_to", name="ages"),
        CheckConstraint(
            "valid_from IS NULL OR valid_until IS NULL OR valid_from < valid_until", name="valid"
        ),
        Index("ix_agencies_services", "services", postgresql_using="gin"),
    )

    id: Mapped[Identifier]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    sector: Mapped[str]
    services: Mapped[list[str]] = mapped_column(ARRAY(Text))
    # Codes of the place tree; empty means everywhere.
    areas: Mapped[list[str]] = mapped_column(ARRAY(Text))
    age_from: Mapped[int | None]
    age_to: Mapped[int | None]
    # An expression like `Mo-Fr 08:00-16:00; PH off`; empty means always.
    hours: Mapped[str] = mapped_column(server_default="")
    timezone: Mapped[str]
    country: Mapped[str | None]
    languages: Mapped[list[str]] = mapped_column(ARRAY(Text))
    email: Mapped[str | None]
    sms: Mapped[str | None]
    deputy: Mapped[str | None]
    valid_from: Mapped[date | None] = mapped_column(Date)
    # Exclusive.
    valid_until: Mapped[date | None] = mapped_column(Date)
    verified_on: Mapped[date | None] = mapped_column(Date)
    verified_by: Mapped[str] = mapped_column(server_default="")
    # When the agency said that it is the wrong service; its entry has to be verified again.
    doubted_at: Mapped[datetime | None]
    # For our own people on call: those of its numbers and addresses that were those of a person who
    # has left. Nothing is written to them, and no key there acknowledges, until the entry is
    # verified again.
    of_leavers: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    webhook_url: Mapped[str | None]
    webhook_secret_sealed: Mapped[Sealed | None]
    # Another case management system: its address, account, recipient and mapping.
    primero: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    primero_password_sealed: Mapped[Sealed | None]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class DutyPhone(Base):
    """A phone of an agency that is answered on duty; phones are rung in order of `position`."""

    __tablename__ = "duty_phones"
    __table_args__ = (UniqueConstraint("agency_id", "position"),)

    id: Mapped[Identifier]
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agencies.id"))
    position: Mapped[int]
    number: Mapped[str]
    hours: Mapped[str] = mapped_column(server_default="")
    # A person who answered said that it is a wrong number; the phone is rung after the others until
    # the directory is verified again.
    doubted_at: Mapped[datetime | None]
    # Phones that left the directory are kept for the attempts that were made on them.
    gone_at: Mapped[datetime | None]


class Mandate(Base):
    """The agency that by law or protocol receives a service for a place (`*`: everywhere)."""

    __tablename__ = "mandates"

    service: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agencies.id"), index=True)
