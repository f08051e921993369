"""Short messages between supervisors and the people of their team."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "team_messages",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("sender_id", sa.Uuid, nullable=False),
        sa.Column("recipient_id", sa.Uuid, nullable=False),
        sa.Column("words_sealed", sa.LargeBinary, nullable=False),
        sa.Column("sent_at", INSTANT, nullable=False),
        sa.Column("read_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_team_messages"),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["staff.id"], name="fk_team_messages_sender_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["staff.id"], name="fk_team_messages_recipient_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_team_messages_recipient_id", "team_messages", ["recipient_id", "sent_at"])
    op.create_index("ix_team_messages_sender_id", "team_messages", ["sender_id", "sent_at"])
    op.create_index("ix_team_messages_sent_at", "team_messages", ["sent_at"])
