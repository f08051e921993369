"""What stays of a person who has left is known.

Keyed hashes of the telephones and addresses that an account had before: by them a leaver is found
in the directory and at lines. Since when something of a leaver is open is kept with the account.
"""

import sqlalchemy as sa
from alembic import op

revision = "0096"
down_revision = "0095"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "former_addresses",
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("address_key", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("staff_id", "address_key", name="pk_former_addresses"),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name="fk_former_addresses_staff_id", ondelete="CASCADE"
        ),
    )
    op.add_column(
        "directory_accounts", sa.Column("left_open_at", sa.DateTime(timezone=True), nullable=True)
    )
