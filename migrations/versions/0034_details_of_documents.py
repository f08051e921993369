"""What became of what a camera or program wrote into a document, and what a person added today."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("case_documents", sa.Column("details", sa.Text(), nullable=True))
    op.create_check_constraint(
        "ck_case_documents_details", "case_documents", "details IN ('removed', 'kept')"
    )
    op.create_index("ix_case_documents_staff_id_at", "case_documents", ["staff_id", "at"])
