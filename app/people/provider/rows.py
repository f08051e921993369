"""The tables of sign-in by a provider of identities (OpenID Connect)."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, KeyedHash, Sealed, one_of


class Unknown(StrEnum):
    """What happens to a person who comes from the provider and has no account."""

    REFUSE = "refuse"
    CREATE = "create"


class IdentityProvider(Base):
    """The provider, as an administrator has set it up; there is at most one."""

    __tablename__ = "identity_providers"
    __table_args__ = (CheckConstraint("is_only", name="is_only"), one_of("unknown", Unknown))

    id: Mapped[Identifier]
    is_only: Mapped[bool] = mapped_column(unique=True, server_default="true")
    # As the button calls it.
    name: Mapped[str]
    issuer: Mapped[str]
    client_id: Mapped[str]
    client_secret_sealed: Mapped[Sealed]
    # Which claims hold roles and teams, and pairs of a value and what it means; the first counts.
    role_claim: Mapped[str]
    roles: Mapped[list[list[str]]] = mapped_column(JSONB)
    team_claim: Mapped[str]
    teams: Mapped[list[list[str]]] = mapped_column(JSONB)
    unknown: Mapped[str]
    # An account without a link is the one with the same verified address.
    links_by_email: Mapped[bool]
    # Values of `amr` or `acr` that stand for a second factor.
    factors: Mapped[list[str]] = mapped_column(ARRAY(Text))
    # People of the provider do not sign in with a password, except emergency accounts.
    closes_passwords: Mapped[bool]
    changed_at: Mapped[datetime]
    last_success_at: Mapped[datetime | None]
    last_failure_at: Mapped[datetime | None]


class LinkedHow(StrEnum):
    """How an account came to be linked."""

    CREATED = "created"
    EMAIL = "email"
    SIGNED_IN = "signed_in"


class StaffIdentity(Base):
    """Who a person is at the provider: issuer and subject, which never change, as a name can."""

    __tablename__ = "staff_identities"
    __table_args__ = (
        UniqueConstraint("issuer", "subject", name="uq_staff_identities_subject"),
        one_of("linked_how", LinkedHow),
    )

    id: Mapped[Identifier]
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), unique=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    linked_at: Mapped[datetime]
    linked_how: Mapped[str]
    used_at: Mapped[datetime | None]
    # The values of the claim with roles at the last sign-in.
    role_values: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    # When the provider had no role for this person any more. Nothing opens until it has one again.
    lost_at: Mapped[datetime | None]
    # When the person left the helpline: they come in by it again when the account is linked anew.
    left_at: Mapped[datetime | None]


class Errand(StrEnum):
    """What a browser was sent to the provider for."""

    SIGN_IN = "sign_in"
    LINK = "link"
    PROOF = "proof"


class ProviderErrand(Base):
    """A browser that was sent to the provider and is expected back, once and soon."""

    __tablename__ = "provider_errands"
    __table_args__ = (one_of("errand", Errand),)

    state_key: Mapped[KeyedHash] = mapped_column(primary_key=True)
    # The browser that was sent: the answer counts in no other.
    browser_key: Mapped[KeyedHash]
    # Where it was sent: the answer of another provider does not count.
    issuer: Mapped[str]
    errand: Mapped[str]
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    # The page that was wanted.
    wanted: Mapped[str]
    began_at: Mapped[datetime]
    expires_at: Mapped[datetime]
