"""Which session has the telephone of a person: that one alone goes on while it waits for calls.

A page that is open says so with its next heartbeat; until then each session of its person goes on,
as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0117"
down_revision = "0116"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("presences", sa.Column("telephone_session", sa.LargeBinary))
