"""Written conversations: what a carrier hands out and forgets is kept until it is heard."""

import sqlalchemy as sa
from alembic import op

revision = "0076"
down_revision = "0075"
branch_labels = None
depends_on = None

_CARRIED = "channel IN ('sms', 'whatsapp', 'telegram', 'viber', 'signal')"
_PROBLEMS = "problem IN ('token', 'mode', 'address', 'away', 'unread')"


def upgrade() -> None:
    op.create_table(
        "chat_fetched",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("their_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_chat_fetched"),
        sa.ForeignKeyConstraint(["line_id"], ["lines.id"], name="fk_chat_fetched_line_id"),
        sa.CheckConstraint(_CARRIED, name="ck_chat_fetched_channel"),
    )
    op.create_index("ix_chat_fetched_line_id", "chat_fetched", ["line_id", "at"])
    op.drop_constraint("ck_chat_accounts_problem", "chat_accounts")
    op.create_check_constraint("ck_chat_accounts_problem", "chat_accounts", _PROBLEMS)
