"""Who leaves by a directory is out at once, and who has left acknowledges nothing by telephone.

Since when work that no colleague may take over waits is kept with what the directory says of the
account; which addresses of our own people on call were those of a person who left, with the entry.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0094"
down_revision = "0093"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "directory_accounts", sa.Column("work_left_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "agencies", sa.Column("of_leavers", ARRAY(sa.Text), nullable=False, server_default="{}")
    )
