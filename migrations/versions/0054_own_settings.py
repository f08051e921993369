"""A helpline decides times and limits itself, in place of the settings of its server."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0054"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "own_settings",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("decided", postgresql.JSONB(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_own_settings_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_own_settings")),
    )
