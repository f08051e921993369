"""A conversation knows when its child came back with a code, so that the new secret ends, too."""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("chat_access", sa.Column("given_at", sa.DateTime(timezone=True), nullable=True))
