"""Referrals: what another system has no word for is listed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    words = postgresql.ARRAY(sa.Text)
    op.add_column("counterparts", sa.Column("left_out", words, nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("counterparts", "left_out")
