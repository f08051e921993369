"""Which partner was rung last for a caller: another one in its place is rung at once."""

import sqlalchemy as sa
from alembic import op

revision = "0115"
down_revision = "0114"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("partner_rung", sa.Uuid(), nullable=True))
