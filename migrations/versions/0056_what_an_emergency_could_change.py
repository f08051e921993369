"""What an emergency access could change is kept, sealed, until it was put back."""

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("emergencies", sa.Column("before_sealed", sa.LargeBinary))
    op.add_column("emergencies", sa.Column("settings_back_at", sa.DateTime(timezone=True)))
