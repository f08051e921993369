"""Test calls: the prompt that a test says on a phone."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connection_tests", sa.Column("line_id", sa.Uuid))
    op.add_column("connection_tests", sa.Column("key", sa.Text))
    op.create_foreign_key(
        "fk_connection_tests_line_id", "connection_tests", "lines", ["line_id"], ["id"]
    )
    op.create_check_constraint(
        "ck_connection_tests_prompt", "connection_tests", "(line_id IS NULL) = (key IS NULL)"
    )
