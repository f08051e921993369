"""Of how many lists rows stayed when they were erased again: readiness says so until none does."""

import sqlalchemy as sa
from alembic import op

revision = "0127"
down_revision = "0126"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "erasure_folders",
        sa.Column("lists_waiting", sa.Integer(), server_default="0", nullable=False),
    )
