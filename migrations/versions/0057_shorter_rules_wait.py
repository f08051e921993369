"""A rule of retention that becomes shorter waits before it is in force."""

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("retention_rules", sa.Column("next_days", sa.Integer))
    op.add_column("retention_rules", sa.Column("next_at", sa.DateTime(timezone=True)))
    op.create_check_constraint(
        "ck_retention_rules_next",
        "retention_rules",
        "(next_days IS NULL) = (next_at IS NULL) AND next_days >= 1",
    )
