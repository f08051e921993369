"""To which addresses a link and its code went: a code opens every link that went the same way."""

import sqlalchemy as sa
from alembic import op

revision = "0114"
down_revision = "0113"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("sent_to", "code_sent_to"):
        op.add_column("links", sa.Column(name, sa.Text(), nullable=True))
