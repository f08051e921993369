"""It is known of the token of an account at a messenger whether its carrier ever took it."""

import sqlalchemy as sa
from alembic import op

revision = "0111"
down_revision = "0110"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("chat_accounts", sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE chat_accounts SET taken_at = coalesce(asked_at, set_at)"
        " WHERE state IN ('registered', 'paused')"
    )
