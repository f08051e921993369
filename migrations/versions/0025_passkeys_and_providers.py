"""Passkeys, and sign-in by a provider of identities."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BYTEA, JSONB

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_MEANS = ("telephony", "sms", "mail", "push", "webhooks", "case_systems")
INSTANT = sa.DateTime(timezone=True)


def _in(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _of_staff(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["staff_id"], ["staff.id"], name=f"fk_{table}_staff_id", ondelete="CASCADE"
    )


def upgrade() -> None:
    _add_passkeys()
    for name in ("by_provider", "emergency"):
        column = sa.Column(name, sa.Boolean, server_default="false", nullable=False)
        op.add_column("staff", column)
    _add_provider()
    _add_identities()
    _set_means((*_MEANS, "sign_in"))


def _set_means(means: tuple[str, ...]) -> None:
    op.drop_constraint("ck_connection_tests_means", "connection_tests", type_="check")
    op.create_check_constraint("ck_connection_tests_means", "connection_tests", _in("means", means))


def _add_passkeys() -> None:
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("credential_id", BYTEA, nullable=False),
        sa.Column("public_key", BYTEA, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("transports", sa.ARRAY(sa.Text), server_default="{}", nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT),
        sa.Column("stopped_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_passkeys"),
        _of_staff("passkeys"),
        sa.UniqueConstraint("credential_id", name="uq_passkeys_credential_id"),
        sa.UniqueConstraint("staff_id", "name", name="uq_passkeys_name"),
    )
    op.create_table(
        "passkey_challenges",
        sa.Column("challenge_key", BYTEA, nullable=False),
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("challenge_key", name="pk_passkey_challenges"),
        _of_staff("passkey_challenges"),
        sa.CheckConstraint(
            _in("purpose", ("adding", "sign_in", "proof")), name="ck_passkey_challenges_purpose"
        ),
    )
    op.create_index("ix_passkey_challenges_staff_id", "passkey_challenges", ["staff_id"])


def _add_provider() -> None:
    op.create_table(
        "identity_providers",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("is_only", sa.Boolean, server_default="true", nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("client_secret_sealed", BYTEA, nullable=False),
        sa.Column("role_claim", sa.Text, nullable=False),
        sa.Column("roles", JSONB, nullable=False),
        sa.Column("team_claim", sa.Text, nullable=False),
        sa.Column("teams", JSONB, nullable=False),
        sa.Column("unknown", sa.Text, nullable=False),
        sa.Column("links_by_email", sa.Boolean, nullable=False),
        sa.Column("factors", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("closes_passwords", sa.Boolean, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("last_success_at", INSTANT),
        sa.Column("last_failure_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_identity_providers"),
        sa.UniqueConstraint("is_only", name="uq_identity_providers_is_only"),
        sa.CheckConstraint("is_only", name="ck_identity_providers_is_only"),
        sa.CheckConstraint(
            _in("unknown", ("refuse", "create")), name="ck_identity_providers_unknown"
        ),
    )


def _add_identities() -> None:
    op.create_table(
        "staff_identities",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("linked_at", INSTANT, nullable=False),
        sa.Column("linked_how", sa.Text, nullable=False),
        sa.Column("used_at", INSTANT),
        sa.Column("role_values", sa.ARRAY(sa.Text), server_default="{}", nullable=False),
        sa.Column("lost_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_staff_identities"),
        _of_staff("staff_identities"),
        sa.UniqueConstraint("staff_id", name="uq_staff_identities_staff_id"),
        sa.UniqueConstraint("issuer", "subject", name="uq_staff_identities_subject"),
        sa.CheckConstraint(
            _in("linked_how", ("created", "email", "signed_in")),
            name="ck_staff_identities_linked_how",
        ),
    )
    op.create_table(
        "provider_errands",
        sa.Column("state_key", BYTEA, nullable=False),
        sa.Column("browser_key", BYTEA, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("errand", sa.Text, nullable=False),
        sa.Column("staff_id", sa.Uuid),
        sa.Column("wanted", sa.Text, nullable=False),
        sa.Column("began_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("state_key", name="pk_provider_errands"),
        _of_staff("provider_errands"),
        sa.CheckConstraint(
            _in("errand", ("sign_in", "link", "proof")), name="ck_provider_errands_errand"
        ),
    )
