"""Which questions by key a line asks of a caller who cannot speak; all of them without a choice."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lines", sa.Column("key_questions", postgresql.ARRAY(sa.Text), nullable=True))
