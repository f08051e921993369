"""The job store: what is to be done survives every crash, in the same database as its cause.

The tables are procrastinate's own, as its pinned version ships them. When that version
changes its tables, a further migration here applies its migration files.
"""

from alembic import op
from procrastinate.schema import SchemaManager
from psycopg import ClientCursor

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    raw = op.get_bind().connection.driver_connection
    assert raw is not None
    # Many statements in one string: without parameters, and not as a prepared statement.
    ClientCursor(raw).execute(SchemaManager.get_schema())


def downgrade() -> None:
    raise NotImplementedError("jobs are not thrown away")
