"""Each rule of retention says whose it is: the country's, the helpline's own, or the default again.

Until now a rule was there because a person had set it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0093"
down_revision = "0092"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "retention_rules",
        sa.Column("decided_by", sa.Text, nullable=False, server_default="helpline"),
    )
    op.alter_column("retention_rules", "decided_by", server_default=None)
    op.create_check_constraint(
        op.f("ck_retention_rules_decided_by"),
        "retention_rules",
        "decided_by IN ('program', 'country', 'helpline')",
    )
