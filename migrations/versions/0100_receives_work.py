"""Who takes work is locked and looked up in one statement.

The function is volatile: what it looks up after it got the lock, it sees as the leaver has left it.
"""

from alembic import op

revision = "0100"
down_revision = "0099"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION receives_work(person uuid, number bigint)
         RETURNS boolean
         LANGUAGE plpgsql
         VOLATILE
        AS $function$
        BEGIN
          PERFORM pg_catalog.pg_advisory_xact_lock_shared(number);
          RETURN EXISTS (SELECT FROM public.staff WHERE id = person AND active);
        END
        $function$
        """
    )
