"""When a child wrote what came late, words of danger, and since when an answer is due."""

import sqlalchemy as sa
from alembic import op

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "calls", sa.Column("alarming", sa.Boolean(), server_default="false", nullable=False)
    )
    op.add_column("chat_messages", sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("chat_codes", sa.Column("waits_since", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE chat_codes SET waits_since = made_at")
    op.alter_column("chat_codes", "waits_since", nullable=False)
