"""The page of a child is away, and words that no counsellor has read are kept as a message."""

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_calls_ended_by"), "calls", type_="check")
    op.create_check_constraint(
        op.f("ck_calls_ended_by"),
        "calls",
        "ended_by IN ('caller', 'counsellor', 'program', 'provider', 'away')",
    )
    op.add_column("chat_codes", sa.Column("told_at", sa.DateTime(timezone=True)))
    # Until now each code was shown to its child as it was made.
    op.execute("UPDATE chat_codes SET told_at = made_at")
