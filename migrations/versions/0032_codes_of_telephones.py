"""Signing in: codes count by the clock of their telephone; the set-up code is made at random."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BYTEA, JSONB

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "second_factors",
        sa.Column("drift", sa.SmallInteger, server_default="0", nullable=False),
    )
    op.add_column("second_factors", sa.Column("seen_drift", sa.SmallInteger))
    op.add_column(
        "staff_sessions",
        sa.Column("refused_steps", JSONB, server_default=sa.text("'{}'"), nullable=False),
    )
    op.create_table(
        "set_up_codes",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("code_sealed", BYTEA, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_set_up_codes"),
    )
