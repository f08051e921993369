"""Three instants go that nothing reads."""

from alembic import op

revision = "0135"
down_revision = "0134"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("rota_proposals", "ready_at")
    op.drop_column("definitions", "registered_at")
    op.drop_column("erasure_folders", "prepared_at")
