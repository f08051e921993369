"""The telephone of a counsellor's page, and whether the provider says that a caller is on hold."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATES = (
    "telephone IN ('off', 'asking', 'ready', 'ringing', 'talking', 'reconnecting', "
    "'no_microphone', 'elsewhere', 'failed')"
)


def upgrade() -> None:
    op.add_column(
        "presences", sa.Column("telephone", sa.Text, nullable=False, server_default="off")
    )
    op.add_column("presences", sa.Column("telephone_at", sa.DateTime(timezone=True)))
    op.add_column("presences", sa.Column("telephone_page", sa.Text))
    op.create_check_constraint("ck_presences_telephone", "presences", STATES)
    op.add_column(
        "calls", sa.Column("on_hold", sa.Boolean, nullable=False, server_default=sa.text("false"))
    )
