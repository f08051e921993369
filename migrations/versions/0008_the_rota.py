"""A rota that changes: layers, absences, extra stretches, swaps, holidays, and its holes told.

Whoever plans sees when nobody covers a line, and is told a day ahead and when it begins; each
counsellor reads the own duty in the own calendar.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_LAYERS = "IN ('primary', 'backup', 'supervisor', 'on_call')"


def _instant(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=nullable)


def _id() -> sa.Column:
    return sa.Column("id", sa.Uuid(), nullable=False)


def _staff(table: str, column: str, *, nullable: bool = False, cascade: bool = False) -> sa.Column:
    return sa.Column(
        column,
        sa.Uuid(),
        sa.ForeignKey(
            "staff.id",
            name=f"fk_{table}_{column}",
            ondelete="CASCADE" if cascade else None,
        ),
        nullable=nullable,
    )


def _check(table: str, name: str, what: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(what, name=op.f(f"ck_{table}_{name}"))


def upgrade() -> None:
    op.add_column(
        "lines",
        sa.Column("opening_hours", sa.Text(), nullable=False, server_default="24/7"),
    )
    for name, default in (("layer", "primary"), ("on_holidays", "works")):
        op.add_column("shifts", sa.Column(name, sa.Text(), nullable=False, server_default=default))
    op.add_column(
        "shifts",
        sa.Column("except_on", sa.ARRAY(sa.Date()), nullable=False, server_default="{}"),
    )
    op.create_check_constraint(op.f("ck_shifts_layer"), "shifts", f"layer {_LAYERS}")
    op.create_check_constraint(
        op.f("ck_shifts_on_holidays"), "shifts", "on_holidays IN ('works', 'off', 'only')"
    )
    op.create_table(
        "rota_changes",
        _id(),
        sa.Column("kind", sa.Text(), nullable=False),
        _staff("rota_changes", "counsellor_id", cascade=True),
        _staff("rota_changes", "instead_id", nullable=True, cascade=True),
        sa.Column("layer", sa.Text(), nullable=False, server_default="primary"),
        _instant("from_at"),
        _instant("until_at"),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("state", sa.Text(), nullable=False),
        _staff("rota_changes", "made_by", nullable=True),
        _instant("made_at"),
        _instant("settled_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_rota_changes"),
        _check("rota_changes", "kind", "kind IN ('absence', 'extra', 'swap')"),
        _check("rota_changes", "layer", f"layer {_LAYERS}"),
        _check("rota_changes", "state", "state IN ('asked', 'in_force', 'refused', 'withdrawn')"),
        _check("rota_changes", "until_at", "from_at < until_at"),
        _check("rota_changes", "instead", "(kind = 'swap') = (instead_id IS NOT NULL)"),
        _check("rota_changes", "somebody_else", "instead_id <> counsellor_id"),
    )
    op.create_index("ix_rota_changes_until_at", "rota_changes", ["until_at"])
    op.create_table(
        "holidays",
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("free", sa.Boolean(), nullable=False, server_default="true"),
        sa.PrimaryKeyConstraint("held_on", name="pk_holidays"),
    )
    op.create_table(
        "coverage_alarms",
        _id(),
        sa.Column(
            "line_id",
            sa.Uuid(),
            sa.ForeignKey("lines.id", name="fk_coverage_alarms_line_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        _instant("from_at"),
        _instant("until_at"),
        _instant("told_at"),
        _instant("seen_at", nullable=True),
        _staff("coverage_alarms", "seen_by", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_coverage_alarms"),
        _check("coverage_alarms", "kind", "kind IN ('ahead', 'begun')"),
    )
    op.create_index("ix_coverage_alarms_until_at", "coverage_alarms", ["until_at"])
    op.create_table(
        "calendar_feeds",
        _id(),
        _staff("calendar_feeds", "staff_id", cascade=True),
        sa.Column("token_key", sa.LargeBinary(), nullable=False),
        _instant("made_at"),
        _instant("read_at", nullable=True),
        _instant("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_calendar_feeds"),
        sa.UniqueConstraint("token_key", name="uq_calendar_feeds_token_key"),
    )
    op.create_index(
        "uq_calendar_feeds_staff_id",
        "calendar_feeds",
        ["staff_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )


def downgrade() -> None:
    for table in ("calendar_feeds", "coverage_alarms", "holidays", "rota_changes"):
        op.drop_table(table)
    for column in ("except_on", "on_holidays", "layer"):
        op.drop_column("shifts", column)
    op.drop_column("lines", "opening_hours")
