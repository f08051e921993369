"""Which tables about contents a person has requested in the last days: a hash of each is kept, so
that different ones can be counted."""

import sqlalchemy as sa
from alembic import op

revision = "0116"
down_revision = "0115"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "asked_by_persons",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("question", sa.LargeBinary(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
            name=op.f("fk_asked_by_persons_staff_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("staff_id", "question", name=op.f("pk_asked_by_persons")),
    )
    op.create_index(op.f("ix_asked_by_persons_day"), "asked_by_persons", ["day"])
