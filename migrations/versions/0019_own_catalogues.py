"""Translations of the pages and definitions that a helpline imports."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
# 0018 was merged before 0017.
down_revision = "0017"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "own_catalogues",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("translated", sa.Integer, nullable=False),
        sa.Column("reviewed", sa.Boolean, nullable=False),
        sa.Column("taken_in_at", INSTANT, nullable=False),
        sa.Column("taken_in_by", sa.Uuid),
        sa.Column("taken_back_at", INSTANT),
        sa.Column("taken_back_by", sa.Uuid),
        sa.PrimaryKeyConstraint("id", name="pk_own_catalogues"),
        sa.ForeignKeyConstraint(
            ["taken_in_by"], ["staff.id"], name="fk_own_catalogues_taken_in_by"
        ),
        sa.ForeignKeyConstraint(
            ["taken_back_by"], ["staff.id"], name="fk_own_catalogues_taken_back_by"
        ),
        sa.CheckConstraint("taken_back_at >= taken_in_at", name="ck_own_catalogues_taken_back"),
    )
    op.create_index("ix_own_catalogues_language", "own_catalogues", ["language", "kind"])
