"""Cases: documents that are taken out, and what in them should make one careful."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    words = postgresql.ARRAY(sa.Text)
    op.add_column("case_documents", sa.Column("flags", words, nullable=False, server_default="{}"))
    op.add_column("case_documents", sa.Column("removed_at", sa.TIMESTAMP(timezone=True)))
    op.add_column("case_documents", sa.Column("removed_by", sa.Uuid))
    op.create_foreign_key(
        op.f("fk_case_documents_removed_by"), "case_documents", "staff", ["removed_by"], ["id"]
    )


def downgrade() -> None:
    for column in ("removed_by", "removed_at", "flags"):
        op.drop_column("case_documents", column)
