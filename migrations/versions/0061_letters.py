"""A child chooses that both sides read each letter as it is typed."""

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "chat_access",
        sa.Column("letters", sa.Boolean(), server_default="false", nullable=False),
    )
