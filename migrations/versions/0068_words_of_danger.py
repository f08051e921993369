"""Chats: the words of a waiting child that speak of danger are shown to those who may take it."""

import sqlalchemy as sa
from alembic import op

revision = "0068"
down_revision = "0063"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("danger_words_sealed", sa.LargeBinary(), nullable=True))
