"""Requests of a person about their data: what was found, the report, the provider's copies."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def _one_of(table: str, column: str, *words: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"ck_{table}_{column}")


def _rules_of_a_request(table: str) -> list[sa.CheckConstraint]:
    return [
        _one_of(table, "kind", "access", "erasure"),
        _one_of(table, "person", "child", "guardian", "caller"),
        _one_of(
            table,
            "state",
            "found",
            "asked",
            "approved",
            "refused",
            "withdrawn",
            "done",
            "failed",
            "expired",
        ),
        _one_of(
            table,
            "basis",
            "right_of_access",
            "consent_withdrawn",
            "not_needed",
            "objection",
            "unlawful",
            "by_law",
        ),
        _one_of(
            table,
            "identity",
            "called_back",
            "document",
            "guardian_document",
            "facts_of_record",
            "court",
        ),
        sa.CheckConstraint("decided_by <> asked_by", name=f"ck_{table}_second_person"),
        sa.CheckConstraint(
            "kind <> 'erasure' OR decided_role IS NULL OR decided_role <> asked_role",
            name=f"ck_{table}_second_role",
        ),
        sa.CheckConstraint(
            "state NOT IN ('approved', 'done', 'expired') OR decided_at IS NOT NULL",
            name=f"ck_{table}_decided",
        ),
    ]


def _request() -> None:
    table = "data_requests"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("state", sa.Text, server_default="found", nullable=False),
        sa.Column("sought_sealed", sa.LargeBinary),
        sa.Column("basis", sa.Text),
        sa.Column("identity", sa.Text),
        sa.Column("words_sealed", sa.LargeBinary),
        sa.Column("began_at", INSTANT, nullable=False),
        sa.Column("asked_by", sa.Uuid),
        sa.Column("asked_role", sa.Text, nullable=False),
        sa.Column("asked_at", INSTANT),
        sa.Column("decided_by", sa.Uuid),
        sa.Column("decided_role", sa.Text),
        sa.Column("decided_at", INSTANT),
        sa.Column("done_at", INSTANT),
        sa.Column("counts", postgresql.JSONB, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("kept", postgresql.JSONB, server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("code", name=f"uq_{table}_code"),
        sa.ForeignKeyConstraint(["asked_by"], ["staff.id"], name=f"fk_{table}_asked_by"),
        sa.ForeignKeyConstraint(["decided_by"], ["staff.id"], name=f"fk_{table}_decided_by"),
        *_rules_of_a_request(table),
    )
    op.create_index(f"ix_{table}_began_at", table, ["began_at"])


def _of_request(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["request_id"], ["data_requests.id"], name=f"fk_{table}_request_id", ondelete="CASCADE"
    )


def _items() -> None:
    table = "data_request_items"
    op.create_table(
        table,
        sa.Column("request_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Uuid, nullable=False),
        sa.Column("because", sa.Text, nullable=False),
        sa.Column("label", sa.Text, server_default="", nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("keep", sa.Text),
        sa.Column("erased_at", INSTANT),
        sa.PrimaryKeyConstraint("request_id", "kind", "subject_id", name=f"pk_{table}"),
        _of_request(table),
        _one_of(
            table,
            "kind",
            "referral",
            "case",
            "contact",
            "voice_message",
            "callback",
            "flag",
            "wish",
            "third_party",
            "profile",
            "call",
        ),
        _one_of(
            table,
            "because",
            "code",
            "number",
            "number_in_record",
            "profile",
            "call",
            "case",
            "contact",
        ),
        _one_of(
            table,
            "keep",
            "legal_hold",
            "still_open",
            "another_person",
            "legal_duty",
            "legal_claim",
            "protects_child",
        ),
    )


def _files() -> None:
    table = "data_request_files"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("request_id", sa.Uuid, nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("content_sealed", sa.LargeBinary, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("request_id", "format", name=f"uq_{table}_request_id_format"),
        _of_request(table),
        _one_of(table, "format", "pdf", "json"),
    )


def _copies() -> None:
    table = "provider_copies"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("request_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("sid", sa.Text),
        sa.Column("state", sa.Text, server_default="waiting", nullable=False),
        sa.Column("wanted_at", INSTANT, nullable=False),
        sa.Column("tries", sa.Integer, server_default="0", nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("ended_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("request_id", "kind", "sid", name=f"uq_{table}_request_id_kind_sid"),
        _of_request(table),
        _one_of(table, "kind", "call", "recording", "message"),
        _one_of(table, "state", "waiting", "deleted", "gone", "by_hand"),
        sa.CheckConstraint("state <> 'waiting' OR sid IS NOT NULL", name=f"ck_{table}_sid"),
    )


def upgrade() -> None:
    op.add_column("calls", sa.Column("called_before", sa.Boolean))
    op.add_column("profiles", sa.Column("erased_at", INSTANT))
    _request()
    _items()
    _files()
    _copies()
