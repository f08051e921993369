"""Lines: a change of numbers can be taken back; the log holds only the ends of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

JSONB = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.create_table(
        "earlier_numbers",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("line_id", sa.Uuid, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before", JSONB, nullable=False),
        sa.Column("after", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_earlier_numbers"),
        sa.ForeignKeyConstraint(
            ["line_id"], ["lines.id"], name="fk_earlier_numbers_line_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_earlier_numbers_line_id", "earlier_numbers", ["line_id", "at"])
