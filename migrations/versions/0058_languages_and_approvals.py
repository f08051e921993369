"""Practice calls are held in any language; that a second person approves has one name."""

from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_practices_language"), "practices", type_="check")
    # From PostgreSQL 18 on, NOT NULL is a constraint with the name of the column.
    op.alter_column("staff", "could_agree", nullable=True)
    op.alter_column("staff", "could_agree", new_column_name="could_approve")
    op.alter_column("staff", "could_approve", nullable=False)
    op.alter_column("case_requests", "agreed", new_column_name="approved")
