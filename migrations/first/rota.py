"""Shifts, what changes in them, and the alarms of those that are not filled."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql


def holidays() -> None:
    op.create_table(
        "holidays",
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("free", sa.Boolean(), server_default="true", nullable=False),
        sa.PrimaryKeyConstraint("held_on", name=op.f("pk_holidays")),
    )


def calendar_feeds() -> None:
    op.create_table(
        "calendar_feeds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("token_key", postgresql.BYTEA(), nullable=False),
        sa.Column("made_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("read_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("revoked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_calendar_feeds_staff_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feeds")),
        sa.UniqueConstraint("token_key", name=op.f("uq_calendar_feeds_token_key")),
    )
    op.create_index(
        "uq_calendar_feeds_staff_id",
        "calendar_feeds",
        ["staff_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )


def coverage_alarms() -> None:
    op.create_table(
        "coverage_alarms",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("from_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("until_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("told_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("seen_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("kind IN ('ahead', 'begun')", name=op.f("ck_coverage_alarms_kind")),
        sa.ForeignKeyConstraint(
            ["line_id"], ["lines.id"], name=op.f("fk_coverage_alarms_line_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["seen_by"], ["staff.id"], name=op.f("fk_coverage_alarms_seen_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coverage_alarms")),
    )
    op.create_index("ix_coverage_alarms_until_at", "coverage_alarms", ["until_at"], unique=False)


def rota_changes() -> None:
    op.create_table(
        "rota_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("counsellor_id", sa.Uuid(), nullable=False),
        sa.Column("instead_id", sa.Uuid(), nullable=True),
        sa.Column("layer", sa.Text(), server_default="primary", nullable=False),
        sa.Column("from_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("until_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.Column("made_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("settled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(kind = 'swap') = (instead_id IS NOT NULL)", name=op.f("ck_rota_changes_instead")
        ),
        sa.CheckConstraint(
            "kind IN ('absence', 'extra', 'swap')", name=op.f("ck_rota_changes_kind")
        ),
        sa.CheckConstraint(
            "layer IN ('primary', 'backup', 'supervisor', 'on_call')",
            name=op.f("ck_rota_changes_layer"),
        ),
        sa.CheckConstraint(
            "state IN ('asked', 'in_force', 'refused', 'withdrawn')",
            name=op.f("ck_rota_changes_state"),
        ),
        sa.CheckConstraint("from_at < until_at", name=op.f("ck_rota_changes_until_at")),
        sa.CheckConstraint(
            "instead_id <> counsellor_id", name=op.f("ck_rota_changes_another_person")
        ),
        sa.ForeignKeyConstraint(
            ["counsellor_id"],
            ["staff.id"],
            name=op.f("fk_rota_changes_counsellor_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["instead_id"],
            ["staff.id"],
            name=op.f("fk_rota_changes_instead_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["made_by"], ["staff.id"], name=op.f("fk_rota_changes_made_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rota_changes")),
    )
    op.create_index("ix_rota_changes_until_at", "rota_changes", ["until_at"], unique=False)


def shifts() -> None:
    op.create_table(
        "shifts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("counsellor_id", sa.Uuid(), nullable=False),
        sa.Column("recurrence", sa.Text(), nullable=True),
        sa.Column("starts_at", sa.Time(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=True),
        sa.Column("layer", sa.Text(), server_default="primary", nullable=False),
        sa.Column("on_holidays", sa.Text(), server_default="works", nullable=False),
        sa.Column("except_on", sa.ARRAY(sa.Date()), server_default="{}", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "layer IN ('primary', 'backup', 'supervisor', 'on_call')", name=op.f("ck_shifts_layer")
        ),
        sa.CheckConstraint(
            "on_holidays IN ('works', 'off', 'only')", name=op.f("ck_shifts_on_holidays")
        ),
        sa.CheckConstraint(
            "last_on IS NULL OR last_on >= first_on", name=op.f("ck_shifts_last_on")
        ),
        sa.CheckConstraint("minutes > 0 AND minutes <= 1440", name=op.f("ck_shifts_minutes")),
        sa.ForeignKeyConstraint(
            ["counsellor_id"],
            ["staff.id"],
            name=op.f("fk_shifts_counsellor_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shifts")),
    )
    op.create_index(op.f("ix_shifts_counsellor_id"), "shifts", ["counsellor_id"], unique=False)
