"""A rule of retention that becomes shorter waits before it is in force; how many values each key
has sealed is kept when it was counted."""

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "sealed_counts",
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("values", sa.BigInteger, nullable=False),
        sa.Column("counted_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_sealed_counts"),
    )
    op.add_column("retention_rules", sa.Column("next_days", sa.Integer))
    op.add_column("retention_rules", sa.Column("next_at", INSTANT))
    op.create_check_constraint(
        "ck_retention_rules_next",
        "retention_rules",
        "(next_days IS NULL) = (next_at IS NULL) AND next_days >= 1",
    )
