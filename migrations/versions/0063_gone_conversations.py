"""A conversation whose child has left stays on the desk until its counsellor has seen it."""

import sqlalchemy as sa
from alembic import op

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "offers", sa.Column("kept_on_desk", sa.Boolean(), server_default="false", nullable=False)
    )
    op.create_index(
        "ix_offers_kept_on_desk",
        "offers",
        ["counsellor_id"],
        postgresql_where=sa.text("kept_on_desk"),
    )
