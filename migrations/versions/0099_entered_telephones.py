"""A second telephone that a person entered and never proved is known as such after they left."""

import sqlalchemy as sa
from alembic import op

revision = "0099"
down_revision = "0098"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "former_addresses",
        sa.Column("proven", sa.Boolean(), server_default=sa.text("true"), nullable=False),
    )
