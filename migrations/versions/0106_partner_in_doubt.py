"""A partner whose number a person who has left had entered as their own is in doubt."""

import sqlalchemy as sa
from alembic import op

revision = "0106"
down_revision = "0105"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "lines", sa.Column("partner_doubted_at", sa.DateTime(timezone=True), nullable=True)
    )
