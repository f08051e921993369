"""A session knows by which session at the provider of identities it began."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staff_sessions", sa.Column("provider_key", sa.LargeBinary(), nullable=True))
    op.create_index("ix_staff_sessions_provider_key", "staff_sessions", ["provider_key"])
