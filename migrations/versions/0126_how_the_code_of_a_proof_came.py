"""By which channel the code came that proved a link: it may be that of another link."""

import sqlalchemy as sa
from alembic import op

revision = "0126"
down_revision = "0125"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("links", sa.Column("proof_channel", sa.Text))
