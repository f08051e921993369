"""Words that the counsellor of a conversation did not see go to a colleague when they leave."""

import sqlalchemy as sa
from alembic import op

revision = "0075"
down_revision = "0073"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("offers", sa.Column("kept_for_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_offers_kept_for_id"), "offers", "staff", ["kept_for_id"], ["id"])
    op.create_index(
        "ix_offers_kept_for_id",
        "offers",
        ["kept_for_id"],
        postgresql_where=sa.text("kept_for_id IS NOT NULL"),
    )
