"""Practice calls are held in any language; that a second person approves has one name."""

from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_practices_language"), "practices", type_="check")
    op.alter_column("staff", "could_agree", new_column_name="could_approve")
    op.alter_column("case_requests", "agreed", new_column_name="approved")
    # From PostgreSQL 18 on, such a constraint has a name, which does not follow the column's.
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_constraint"
        " WHERE conname = 'staff_could_agree_not_null') THEN ALTER TABLE staff"
        " RENAME CONSTRAINT staff_could_agree_not_null TO staff_could_approve_not_null;"
        " END IF; END $$"
    )
