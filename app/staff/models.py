"""Accounts, sessions, and the log of what people did."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.abilities import EndpointKind
from app.database.base import SEALED, Base, Identifier, KeyedHash, MatchHash, Sealed, one_of
from app.staff.roles import Role


class Staff(Base):
    """A person with an account. `identity` is the opaque name that the provider sees."""

    __tablename__ = "staff"
    __table_args__ = (
        one_of("role", Role),
        one_of("endpoint_kind", EndpointKind),
        CheckConstraint("(endpoint_kind = 'browser') = (endpoint IS NULL)", name="endpoint"),
        CheckConstraint("second_phone IS NULL OR endpoint_kind = 'browser'", name="second_phone"),
        CheckConstraint("chats_at_once BETWEEN 0 AND 8", name="chats_at_once"),
    )

    id: Mapped[Identifier]
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    password_hash: Mapped[str | None]
    endpoint_kind: Mapped[str]
    endpoint: Mapped[str | None]
    # The person's second phone, which rings if the browser does not answer. They chose it, and
    # it rings only once it is proven (`PhoneProof.paired_at`).
    second_phone: Mapped[str | None]
    identity: Mapped[str] = mapped_column(unique=True)
    # Empty means: every language, every line.
    languages: Mapped[list[str]] = mapped_column(ARRAY(Text))
    lines: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    # `name` or `name:level`.
    skills: Mapped[list[str]] = mapped_column(ARRAY(Text))
    # Takes calls only while a supervisor is there.
    training: Mapped[bool] = mapped_column(server_default="false")
    # How many written conversations they can have at once; 0: they do not write with children.
    chats_at_once: Mapped[int] = mapped_column(server_default="0")
    # Supervisors read what their own team wrote; a helpline without teams is one team.
    team: Mapped[str] = mapped_column(server_default="")
    # Where reports are announced; used for nothing else.
    email: Mapped[str | None]
    # The language of the pages, for which `app/words` has a catalogue; English needs none.
    page_language: Mapped[str] = mapped_column(server_default="en")
    active: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[datetime]
    # Signs in by the provider of identities (`app/people/provider`).
    by_provider: Mapped[bool] = mapped_column(server_default="false")
    # Kept for the day on which no other account can sign in: its password is never closed.
    emergency: Mapped[bool] = mapped_column(server_default="false")
    # The emergency under which this person acts now; the log marks each act with it.
    under_emergency: Mapped[UUID | None]
    # Could sign in with a role that reads the records of others, now or before; it stays true
    # (`app/staff/second_person.py`).
    could_approve: Mapped[bool] = mapped_column(server_default="false")
    # Grows with each change by another person, so that of two at once the second is told.
    revision: Mapped[int] = mapped_column(server_default="0")


class Awaits(StrEnum):
    """What is missing after the right password."""

    # A code of the second factor, or one to be set up.
    CODE = "code"
    SETTING_UP = "setting_up"


class StaffSession(Base):
    """A signed-in browser or program; the token itself is only in its cookie."""

    __tablename__ = "staff_sessions"
    __table_args__ = (one_of("awaits", Awaits),)

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
    # What is still missing before this session opens anything.
    awaits: Mapped[str | None]
    # How far refused codes of the phone were from ours, by their steps: a proof by other means
    # says that they were its owner's (`app/staff/telephone_clock.py`).
    refused_steps: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))
    # When its person last proved who they are. While something is missing, it is set if they have
    # given a factor.
    proved_at: Mapped[datetime | None]
    # When its person last did something, to a minute: unlike `used_at`, which a page that is open
    # moves by itself.
    active_at: Mapped[datetime | None]
    # The session at the provider of identities by which it began: a sign-out there may name that
    # alone.
    provider_key: Mapped[KeyedHash | None] = mapped_column(index=True)


class FormerToken(Base):
    """A token that a session had before its person proved again who they are: it opens the session
    until soon after the new one was used, for what the browser asks for by it, and nothing that
    needs the proof."""

    __tablename__ = "former_tokens"

    token_key: Mapped[KeyedHash] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(
        ForeignKey("staff_sessions.id", ondelete="CASCADE"), index=True
    )
    until_at: Mapped[datetime]


class EarlierPassword(Base):
    """The hash of a password that a person had before, so that it is not chosen again."""

    __tablename__ = "earlier_passwords"

    id: Mapped[Identifier]
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), index=True)
    password_hash: Mapped[str]
    until_at: Mapped[datetime]


class SecondFactor(Base):
    """The secret by which a person's phone makes codes. One that is being set up has no
    `confirmed_at` yet."""

    __tablename__ = "second_factors"
    __table_args__ = (
        Index(
            "uq_second_factors_confirmed",
            "staff_id",
            unique=True,
            postgresql_where=text("confirmed_at IS NOT NULL"),
        ),
        Index(
            "uq_second_factors_new",
            "staff_id",
            unique=True,
            postgresql_where=text("confirmed_at IS NULL"),
        ),
    )

    id: Mapped[Identifier]
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    # Both are sealed for their person: in the row of another one they open nothing. Codes are
    # checked by `seed_sealed`, which is opened for no asker (`app/privacy/safe.py`). The same seed
    # is in `secret_sealed` while it is being set up, and shown.
    seed_sealed: Mapped[Sealed] = mapped_column(info={SEALED: "bytes", "row": "staff_id"})
    secret_sealed: Mapped[Sealed | None] = mapped_column(info={SEALED: "bytes", "row": "staff_id"})
    made_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    # The time step of the newest code that was accepted: no code counts twice.
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    # How far the clock of the phone is from ours, in steps of 30 seconds.
    drift: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    # While it is being set up: how far the first code was from ours, until a second one agrees.
    seen_drift: Mapped[int | None] = mapped_column(SmallInteger)


class RecoveryCode(Base):
    """A code that replaces the phone once. Only its hash is stored."""

    __tablename__ = "recovery_codes"

    code_key: Mapped[KeyedHash] = mapped_column(primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), index=True)
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignInRules(Base):
    """What an administrator has decided about signing in. Without a row the defaults hold."""

    __tablename__ = "sign_in_rules"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    # The roles whose people need a second factor.
    factor_roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    # Those of them whose people need a passkey: a code of the phone is not taken.
    passkey_roles: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    # Hours since the sign-in after which a session ends.
    session_hours: Mapped[int]
    # Minutes for which a proof is enough for numbers, exports and keys.
    proof_minutes: Mapped[int] = mapped_column(server_default="10")
    # Minutes without any act of its person after which a session ends; 0 means never.
    idle_minutes: Mapped[int] = mapped_column(server_default="60")
    # By role, where it differs: hours and minutes, as `app/staff/sign_in_rules.py` reads them.
    of_roles: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))


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
    # Opens nothing until a second person has approved it.
    waits: Mapped[bool] = mapped_column(server_default="false")
    # Sent by mail, or shown once to its maker.
    by_mail: Mapped[bool]
    mailed_at: Mapped[datetime | None]
    mail_failed_at: Mapped[datetime | None]


class CodeKind(StrEnum):
    """Who has a single-use code: the phone it was texted to, or the person it was handed to."""

    TEXTED = "texted"
    HANDED = "handed"


class AccessKind(StrEnum):
    """Which changes of an account take effect when a second person approves."""

    # An account becomes active: a new one, or one that had left.
    ACCOUNT = "account"
    # Its role, e-mail address or team becomes another one, or its calls ring at another phone.
    CHANGE = "change"
    # A link by which a password is chosen opens.
    LINK = "link"
    # The second factor is taken away; with a link, that one opens as well.
    FACTOR = "factor"
    # A code proves its phone.
    PHONE_CODE = "phone_code"
    # A person at the provider of identities signs in to it.
    IDENTITY = "identity"


class PhoneProof(Base):
    """How a person proves by phone who they are. The number that a call shows proves nothing.

    PINs and codes are hashed as passwords are. `pin_hash` is the PIN; `chosen_hash` a new one that
    has to be entered again.
    """

    __tablename__ = "phone_proofs"
    __table_args__ = (one_of("code_kind", CodeKind),)

    staff_id: Mapped[UUID] = mapped_column(
        ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True
    )
    pin_hash: Mapped[str | None]
    # Whether the PIN was chosen on a page, with a second factor: where no code counts by phone,
    # another PIN counts no more than a code, with which it was chosen.
    pin_by_factor: Mapped[bool] = mapped_column(server_default="false")
    chosen_hash: Mapped[str | None]
    # When the person proved at the number of the account that it is theirs: where their calls ring,
    # or what rings if the browser does not answer.
    paired_at: Mapped[datetime | None]
    # Wrong entries in a row, and until when nothing is accepted by phone.
    failures: Mapped[int] = mapped_column(server_default="0")
    locked_until: Mapped[datetime | None]
    code_hash: Mapped[str | None]
    code_kind: Mapped[str | None]
    code_until: Mapped[datetime | None]
    # The state that a texted code sets.
    wants: Mapped[str | None]


class FormerAddress(Base):
    """A phone or e-mail address that an account had, as a keyed hash.

    `proven` is false for a second phone that its person only entered: it may be another's.
    """

    __tablename__ = "former_addresses"

    staff_id: Mapped[UUID] = mapped_column(
        ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True
    )
    address_key: Mapped[MatchHash] = mapped_column(primary_key=True)
    proven: Mapped[bool] = mapped_column(server_default=text("true"))


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
    # Who made it, if it stopped because they left or lost the role by which they made it.
    revoked_with: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
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
