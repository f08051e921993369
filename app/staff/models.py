"""Accounts, sessions, and the log of what people did."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, KeyedHash, one_of
from app.staff.roles import Role


class EndpointKind(StrEnum):
    """What rings when a person is called."""

    BROWSER = "browser"
    CLIENT = "client"
    PHONE = "phone"
    SIP = "sip"


class Staff(Base):
    """A person with an account. `identity` is the opaque name that the provider sees."""

    __tablename__ = "staff"
    __table_args__ = (
        one_of("role", Role),
        one_of("endpoint_kind", EndpointKind),
        CheckConstraint("(endpoint_kind = 'browser') = (endpoint IS NULL)", name="endpoint"),
    )

    id: Mapped[Identifier]
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    password_hash: Mapped[str | None]
    endpoint_kind: Mapped[str]
    endpoint: Mapped[str | None]
    identity: Mapped[str] = mapped_column(unique=True)
    # Empty means: every language, every line.
    languages: Mapped[list[str]] = mapped_column(ARRAY(Text))
    lines: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    # `name` or `name:level`.
    skills: Mapped[list[str]] = mapped_column(ARRAY(Text))
    # Takes calls only while a supervisor is there.
    training: Mapped[bool] = mapped_column(server_default="false")
    # Supervisors read what their own team wrote; a helpline without teams is one team.
    team: Mapped[str] = mapped_column(server_default="")
    # Where reports are announced; used for nothing else.
    email: Mapped[str | None]
    # The language of the pages, for which `app/words` has a catalogue; English needs none.
    page_language: Mapped[str] = mapped_column(server_default="en")
    active: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[datetime]
    # Grows with each change by another person, so that of two at once the second is told.
    revision: Mapped[int] = mapped_column(server_default="0")


class StaffSession(Base):
    """A signed-in browser or program; the token itself is only in its cookie."""

    __tablename__ = "staff_sessions"

    token_key: Mapped[KeyedHash] = mapped_column(primary_key=True)
    # By which its owner ends it, without knowing its key.
    id: Mapped[UUID] = mapped_column(unique=True, server_default=text("gen_random_uuid()"))
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    # The last use, to a few minutes.
    used_at: Mapped[datetime | None]
    # The family of the browser; nothing finer, and no address.
    browser: Mapped[str] = mapped_column(server_default="")


class LinkKind(StrEnum):
    """What a link for choosing a password is for."""

    INVITATION = "invitation"
    RESET = "reset"


class PasswordLink(Base):
    """A link by which a person chooses a password, once. Its secret is stored nowhere."""

    __tablename__ = "password_links"
    __table_args__ = (
        one_of("kind", LinkKind),
        # At most one link of a person can be used at a time.
        Index(
            "uq_password_links_open",
            "staff_id",
            unique=True,
            postgresql_where=text("used_at IS NULL AND withdrawn_at IS NULL"),
        ),
    )

    id: Mapped[Identifier]
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    kind: Mapped[str]
    token_key: Mapped[KeyedHash] = mapped_column(unique=True)
    made_at: Mapped[datetime]
    # NULL: the operator, at the command line.
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    # Sent by mail, or shown once to its maker.
    by_mail: Mapped[bool]
    mailed_at: Mapped[datetime | None]
    mail_failed_at: Mapped[datetime | None]


class ApiToken(Base):
    """The access of a program, and its scopes; only the program's operator has the token itself."""

    __tablename__ = "api_tokens"

    id: Mapped[Identifier]
    name: Mapped[str] = mapped_column(unique=True)
    token_key: Mapped[KeyedHash] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class AuditEntry(Base):
    """What a person did or read. Append-only; `hash` chains it to the entry before."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_at", "at"),
        Index("ix_audit_entries_subject", "subject", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    previous: Mapped[KeyedHash]
    hash: Mapped[KeyedHash]
