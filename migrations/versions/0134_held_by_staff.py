"""A column says that our own staff have a referral, and exports that are made are in progress."""

from alembic import op

revision = "0134"
down_revision = "0133"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE exports DROP CONSTRAINT IF EXISTS ck_exports_state",
    "UPDATE exports SET state = 'in_progress' WHERE state = 'making'",
    "ALTER TABLE exports ADD CONSTRAINT ck_exports_state CHECK (state IN"
    " ('asked', 'approved', 'refused', 'in_progress', 'ready', 'failed', 'expired'))",
)


def upgrade() -> None:
    # From PostgreSQL 18 on, NOT NULL is a constraint with the name of the column.
    op.alter_column("referrals", "house_has_it", nullable=True)
    op.alter_column("referrals", "house_has_it", new_column_name="held_by_staff")
    op.alter_column("referrals", "held_by_staff", nullable=False)
    for statement in STATEMENTS:
        op.execute(statement)
