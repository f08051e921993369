"""Files of single records: the role in which they were asked for, which the second person lacks."""

import sqlalchemy as sa
from alembic import op

revision = "0072"
down_revision = "0071"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("exports", sa.Column("asked_role", sa.Text(), nullable=True))
    # What was asked before: the role that the person has now.
    op.execute(
        "UPDATE exports SET asked_role = staff.role FROM staff"
        " WHERE staff.id = exports.asked_by AND exports.personal"
    )
    op.create_check_constraint(
        op.f("ck_exports_asked_role"), "exports", "NOT personal OR asked_role IS NOT NULL"
    )
