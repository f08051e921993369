"""Routing: the call-backs in the queue are found apart, because the counsellor who writes with a
child may take the one of this child."""

import sqlalchemy as sa
from alembic import op

revision = "0077"
down_revision = "0076"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_calls_called_back",
        "calls",
        ["callback_id"],
        postgresql_where=sa.text("callback_id IS NOT NULL AND state = 'queued'"),
    )
