"""Of a request about a person's data is known whether people were reminded of it."""

import sqlalchemy as sa
from alembic import op

revision = "0101"
down_revision = "0100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "data_requests", sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True)
    )
