"""Of a row that was found about a person it is kept of how many children it tells."""

import sqlalchemy as sa
from alembic import op

revision = "0105"
down_revision = "0104"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("data_request_items", sa.Column("children", sa.Integer(), nullable=True))
