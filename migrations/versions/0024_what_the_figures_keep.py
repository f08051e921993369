"""Figures: breaches that stay, the time that was promised first, and the targets of each time."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_INSTANT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "clock_breaches",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("clock_id", sa.Uuid, nullable=False),
        sa.Column("approach_id", sa.Uuid),
        sa.Column("due_at", _INSTANT, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["clock_id"], ["clocks.id"], name=op.f("fk_clock_breaches_clock_id")
        ),
        sa.ForeignKeyConstraint(
            ["approach_id"], ["approaches.id"], name=op.f("fk_clock_breaches_approach_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock_breaches")),
    )
    op.create_index("ix_clock_breaches_clock_id", "clock_breaches", ["clock_id"])
    op.create_index("ix_clock_breaches_approach_id", "clock_breaches", ["approach_id"])
    op.execute(
        "INSERT INTO clock_breaches (clock_id, approach_id, due_at, at)"
        " SELECT id, breached_by, due_at, breached_at FROM clocks WHERE breached_at IS NOT NULL"
    )
    op.create_table(
        "service_targets",
        sa.Column("since", _INSTANT, nullable=False),
        sa.Column("seconds", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("since", name=op.f("pk_service_targets")),
    )
    op.add_column("callbacks", sa.Column("promised_until", _INSTANT))
    op.execute("UPDATE callbacks SET promised_until = window_until")
    op.alter_column("callbacks", "promised_until", nullable=False)


def downgrade() -> None:
    op.drop_column("callbacks", "promised_until")
    op.drop_table("service_targets")
    op.drop_table("clock_breaches")
