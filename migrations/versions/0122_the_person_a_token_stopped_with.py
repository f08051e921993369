"""A token says with whose account, or role, it stopped: its program did nothing wrong."""

import sqlalchemy as sa
from alembic import op

revision = "0122"
down_revision = "0119"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_tokens", sa.Column("revoked_with", sa.Uuid))
    op.create_foreign_key(
        "fk_api_tokens_revoked_with", "api_tokens", "staff", ["revoked_with"], ["id"]
    )
