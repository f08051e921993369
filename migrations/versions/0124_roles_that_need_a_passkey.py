"""For which roles the second factor has to be a passkey: at first, for none."""

import sqlalchemy as sa
from alembic import op

revision = "0124"
down_revision = "0123"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "sign_in_rules",
        sa.Column("passkey_roles", sa.ARRAY(sa.Text), server_default="{}", nullable=False),
    )
