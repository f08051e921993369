"""The account that a line had at a messenger is kept for some days, so that a change of it can be
taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0103"
down_revision = "0102"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chat_earlier_accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("their_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("token_sealed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "channel IN ('sms', 'whatsapp', 'telegram', 'viber', 'signal')",
            name=op.f("ck_chat_earlier_accounts_channel"),
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["lines.id"], name=op.f("fk_chat_earlier_accounts_line_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_earlier_accounts")),
    )
    op.create_index(
        "uq_chat_earlier_accounts",
        "chat_earlier_accounts",
        ["line_id", "channel", "their_id"],
        unique=True,
    )
