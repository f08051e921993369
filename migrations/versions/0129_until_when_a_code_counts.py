"""Until when the code of an agency's link counts: of those that were sent before, none does."""

import sqlalchemy as sa
from alembic import op

revision = "0129"
down_revision = "0127"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("links", sa.Column("code_until", sa.DateTime(timezone=True)))
