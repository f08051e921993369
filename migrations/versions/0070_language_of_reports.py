"""Statistics: a scheduled report has a language, or comes in that of each of its readers."""

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0068"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("report_schedules", sa.Column("language", sa.Text(), nullable=True))
