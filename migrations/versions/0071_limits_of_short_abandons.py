"""Statistics: a report says which limit of a short abandon counted when."""

import sqlalchemy as sa
from alembic import op

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "short_abandon_limits",
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("since", name=op.f("pk_short_abandon_limits")),
    )
