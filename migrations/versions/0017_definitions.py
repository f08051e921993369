"""Sets of definitions that were uploaded, and from when each is in force.

Before the first order, the files of the program and of its folder are in force, as they were.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
# Written before 0018, and merged after it.
down_revision = "0018"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "definition_sets",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("files", JSONB, nullable=False),
        sa.Column("uploaded_at", INSTANT, nullable=False),
        sa.Column("uploaded_by", sa.Uuid),
        sa.PrimaryKeyConstraint("id", name="pk_definition_sets"),
        sa.UniqueConstraint("digest", name="uq_definition_sets_digest"),
        sa.ForeignKeyConstraint(
            ["uploaded_by"], ["staff.id"], name="fk_definition_sets_uploaded_by"
        ),
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON definition_sets"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.create_table(
        "definition_orders",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("set_id", sa.BigInteger, nullable=False),
        sa.Column("from_at", INSTANT, nullable=False),
        sa.Column("ordered_at", INSTANT, nullable=False),
        sa.Column("ordered_by", sa.Uuid),
        sa.Column("taken_back_at", INSTANT),
        sa.Column("taken_back_by", sa.Uuid),
        sa.PrimaryKeyConstraint("id", name="pk_definition_orders"),
        sa.ForeignKeyConstraint(
            ["set_id"], ["definition_sets.id"], name="fk_definition_orders_set_id"
        ),
        sa.ForeignKeyConstraint(
            ["ordered_by"], ["staff.id"], name="fk_definition_orders_ordered_by"
        ),
        sa.ForeignKeyConstraint(
            ["taken_back_by"], ["staff.id"], name="fk_definition_orders_taken_back_by"
        ),
        sa.CheckConstraint("taken_back_at >= ordered_at", name="ck_definition_orders_taken_back"),
    )
    op.create_index("ix_definition_orders_from_at", "definition_orders", ["from_at"])
