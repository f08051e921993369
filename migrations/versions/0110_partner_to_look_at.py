"""Every partner's number is looked at once: a person who left before such numbers were put in doubt
may have entered it as their own."""

import sqlalchemy as sa
from alembic import op

revision = "0110"
down_revision = "0108"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "lines",
        sa.Column("partner_to_look_at", sa.Boolean(), server_default="false", nullable=False),
    )
    op.execute(
        "UPDATE lines SET partner_to_look_at = true WHERE plan ->> 'partner_number' IS NOT NULL"
    )
