"""Tokens that a session had before a proof; they end soon after it."""

import sqlalchemy as sa
from alembic import op

revision = "0132"
down_revision = "0130"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "former_tokens",
        sa.Column("token_key", sa.LargeBinary, nullable=False),
        sa.Column("session_id", sa.Uuid, nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_key", name="pk_former_tokens"),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["staff_sessions.id"],
            name="fk_former_tokens_session_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_former_tokens_session_id", "former_tokens", ["session_id"])
