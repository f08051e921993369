"""A wallboard says with whose account, or role, it stopped: it was not withdrawn by hand."""

import sqlalchemy as sa
from alembic import op

revision = "0123"
down_revision = "0122"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("wallboards", sa.Column("withdrawn_with", sa.Uuid))
    op.create_foreign_key(
        "fk_wallboards_withdrawn_with", "wallboards", "staff", ["withdrawn_with"], ["id"]
    )
