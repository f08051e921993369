"""Accounts that a directory keeps; emergency access by two people."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "directory_accounts",
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("external_id", sa.Text),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("deleted_at", INSTANT),
        sa.PrimaryKeyConstraint("staff_id", name="pk_directory_accounts"),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
            name="fk_directory_accounts_staff_id",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    op.drop_table("directory_accounts")
