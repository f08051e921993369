"""A voice message is a task: somebody answers for it from its first moment until it is done."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "voice_messages",
        sa.Column(
            "owner_id", sa.Uuid(), sa.ForeignKey("staff.id", name="fk_voice_messages_owner_id")
        ),
    )
    op.execute("UPDATE voice_messages SET owner_id = heard_by WHERE heard_by IS NOT NULL")


def downgrade() -> None:
    op.drop_column("voice_messages", "owner_id")
