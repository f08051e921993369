"""The language in which a person reads the pages; English until they choose another."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "staff", sa.Column("page_language", sa.Text(), server_default="en", nullable=False)
    )
