"""Open shifts, for which people sign up."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
# Written before 0013, and merged after it.
down_revision = "0013"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
LAYERS = "layer IN ('primary', 'backup', 'supervisor', 'on_call')"


def upgrade() -> None:
    op.create_table(
        "open_shifts",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("from_at", INSTANT, nullable=False),
        sa.Column("until_at", INSTANT, nullable=False),
        sa.Column("layer", sa.Text, nullable=False),
        sa.Column("places", sa.Integer, nullable=False),
        sa.Column("language", sa.Text),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("made_by", sa.Uuid),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("withdrawn_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_open_shifts"),
        sa.ForeignKeyConstraint(["made_by"], ["staff.id"], name="fk_open_shifts_made_by"),
        sa.CheckConstraint(LAYERS, name="ck_open_shifts_layer"),
        sa.CheckConstraint("from_at < until_at", name="ck_open_shifts_until_at"),
        sa.CheckConstraint("places >= 1 AND places <= 20", name="ck_open_shifts_places"),
    )
    op.create_index("ix_open_shifts_until_at", "open_shifts", ["until_at"])
    op.add_column("rota_changes", sa.Column("open_shift_id", sa.Uuid))
    op.create_foreign_key(
        "fk_rota_changes_open_shift_id",
        "rota_changes",
        "open_shifts",
        ["open_shift_id"],
        ["id"],
        ondelete="SET NULL",
    )
    # A person signs up once; of two clicks the second is refused.
    op.create_index(
        "uq_rota_changes_open_shift",
        "rota_changes",
        ["open_shift_id", "counsellor_id"],
        unique=True,
        postgresql_where=sa.text("open_shift_id IS NOT NULL AND state = 'in_force'"),
    )
