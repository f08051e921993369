"""A counsellor's own telephone rings if the browser does not answer."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staff", sa.Column("second_phone", sa.Text(), nullable=True))
    op.create_check_constraint(
        "ck_staff_second_phone", "staff", "second_phone IS NULL OR endpoint_kind = 'browser'"
    )
    op.add_column("offers", sa.Column("second_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("offers", sa.Column("second_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("legs", sa.Column("second", sa.Boolean(), server_default="false", nullable=False))
    op.add_column(
        "connection_tests",
        sa.Column("proves", sa.Boolean(), server_default="false", nullable=False),
    )
