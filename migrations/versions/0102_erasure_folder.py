"""The folder with the lists of what was erased is prepared once; the database knows its marker."""

import sqlalchemy as sa
from alembic import op

revision = "0102"
down_revision = "0101"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erasure_folders",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("marker", sa.Uuid(), nullable=False),
        sa.Column("prepared_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_erasure_folders_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure_folders")),
    )
