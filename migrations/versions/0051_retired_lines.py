"""Lines are retired, and may have another number; kept days of figures follow the number."""

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0048"
branch_labels = None
depends_on = None

_STATISTICS = """
    CREATE OR REPLACE FUNCTION statistics_of_line()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          IF {condition} THEN
            PERFORM pg_advisory_xact_lock(710007, -1);
            DELETE FROM statistic_days;
          END IF;
          RETURN NULL;
        END $function$
"""
_CHECK = "ck_lines_retired_line_is_not_in_use"
_PRACTICE = "NEW.practice <> OLD.practice"


def upgrade() -> None:
    op.add_column("lines", sa.Column("retired_at", sa.TIMESTAMP(timezone=True)))
    op.create_check_constraint(_CHECK, "lines", "retired_at IS NULL OR NOT active")
    op.execute(_STATISTICS.format(condition=f"{_PRACTICE} OR NEW.number <> OLD.number"))
