"""Chats: the words of a waiting child that speak of danger are shown to those who may take it, and
an administrator reads that the service for Signal would lose messages."""

import sqlalchemy as sa
from alembic import op

revision = "0068"
down_revision = "0067"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("danger_words_sealed", sa.LargeBinary(), nullable=True))
    name = op.f("ck_chat_accounts_problem")
    op.drop_constraint(name, "chat_accounts")
    op.create_check_constraint(
        name, "chat_accounts", "problem IN ('token', 'mode', 'address', 'away')"
    )
