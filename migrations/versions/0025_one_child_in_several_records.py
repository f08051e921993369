"""Cases: which child of a case is which child of its contacts; readings of lists in one row."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "same_children",
        sa.Column("case_id", sa.Uuid, nullable=False),
        sa.Column("contact_id", sa.Uuid, nullable=False),
        sa.Column("contact_entry", sa.Text, nullable=False),
        sa.Column("case_entry", sa.Text),
        sa.Column("said_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("said_by", sa.Uuid),
        sa.ForeignKeyConstraint(
            ["case_id", "contact_id"],
            ["case_contacts.case_id", "case_contacts.contact_id"],
            name=op.f("fk_same_children_case_id_contact_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["said_by"], ["staff.id"], name=op.f("fk_same_children_said_by")),
        sa.PrimaryKeyConstraint(
            "case_id", "contact_id", "contact_entry", name=op.f("pk_same_children")
        ),
    )
    op.create_index("ix_same_children_contact_id", "same_children", ["contact_id", "contact_entry"])
    # A reading of a list names fifty records: it stays in its row, written once.
    op.execute("ALTER TABLE audit_entries SET (toast_tuple_target = 8160)")


def downgrade() -> None:
    op.execute("ALTER TABLE audit_entries RESET (toast_tuple_target)")
    op.drop_table("same_children")
