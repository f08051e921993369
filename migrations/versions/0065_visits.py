"""The visit of a child's page can be blocked, and danger that is written again and again from one
place is marked."""

import sqlalchemy as sa
from alembic import op

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "calls", sa.Column("danger_again", sa.Boolean(), server_default="false", nullable=False)
    )
    op.add_column("calls", sa.Column("visit_key", sa.LargeBinary(), nullable=True))
    op.create_index(
        "ix_calls_visits", "calls", ["ended_at"], postgresql_where=sa.text("visit_key IS NOT NULL")
    )
