"""Which PINs were chosen on a page with a second factor: of those that are there, none is known."""

import sqlalchemy as sa
from alembic import op

revision = "0125"
down_revision = "0124"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "phone_proofs",
        sa.Column("pin_by_factor", sa.Boolean, server_default="false", nullable=False),
    )
