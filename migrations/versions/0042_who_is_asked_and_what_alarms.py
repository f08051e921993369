"""A colleague who is asked into a talk is rung at their own telephone as well."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("second_due_at", "second_at"):
        op.add_column("participants", sa.Column(name, sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for name in ("second_at", "second_due_at"):
        op.drop_column("participants", name)
