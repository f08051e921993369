"""What children thought of a conversation is counted by channel, too. All of it so far came from
the page."""

import sqlalchemy as sa
from alembic import op

revision = "0067"
down_revision = "0066"
branch_labels = None
depends_on = None

_CHANNELS = "('web', 'sms', 'whatsapp', 'telegram', 'viber', 'signal')"


def upgrade() -> None:
    op.add_column(
        "chat_feedback", sa.Column("channel", sa.Text, server_default="web", nullable=False)
    )
    op.alter_column("chat_feedback", "channel", server_default=None)
    op.create_check_constraint(
        op.f("ck_chat_feedback_channel"), "chat_feedback", f"channel IN {_CHANNELS}"
    )
