"""When a person last proved who they are and last did something; the rules for both."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0018"
down_revision = "0014"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for name in ("proved_at", "active_at"):
        op.add_column("staff_sessions", sa.Column(name, INSTANT))
    for name, default in (("proof_minutes", "10"), ("idle_minutes", "60")):
        op.add_column(
            "sign_in_rules", sa.Column(name, sa.Integer, server_default=default, nullable=False)
        )
    op.add_column(
        "sign_in_rules",
        sa.Column("of_roles", JSONB, server_default=sa.text("'{}'"), nullable=False),
    )
