"""Statistics count when a message, or a wish to be called back, was answered: the kept day of that
call is forgotten when the call-back becomes a talk."""

from alembic import op

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None

_STATISTICS_OF_CALL = """
    CREATE OR REPLACE FUNCTION statistics_of_call()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          -- What is only sealed anew, or erased, changes no figure.
          IF current_setting('helpline.resealing', true) = 'on'
              OR current_setting('helpline.erasing', true) = 'on' THEN
            RETURN NULL;
          END IF;
          IF TG_OP <> 'INSERT' THEN PERFORM forget_statistics(OLD.opened_at); END IF;
          IF TG_OP <> 'DELETE' AND (TG_OP = 'INSERT' OR NEW.opened_at <> OLD.opened_at) THEN
            PERFORM forget_statistics(NEW.opened_at);
          END IF;
          -- A ring that is heard of late makes later ones of its number repeated ones.
          IF TG_OP = 'INSERT' AND NEW.caller_key IS NOT NULL THEN
            DELETE FROM statistic_days WHERE day IN (
              SELECT (c.opened_at AT TIME ZONE 'UTC')::date FROM calls c
              WHERE c.caller_key = NEW.caller_key AND c.opened_at > NEW.opened_at);
          END IF;
          -- A call-back that becomes a talk is the answer to an earlier call.
          IF TG_OP = 'UPDATE' AND NEW.callback_id IS NOT NULL
              AND NEW.answered_at IS DISTINCT FROM OLD.answered_at THEN
            PERFORM forget_statistics((SELECT c.opened_at FROM callbacks b
              JOIN calls c ON c.id = b.call_id WHERE b.id = NEW.callback_id));
          END IF;
          RETURN NULL;
        END $function$
"""


def upgrade() -> None:
    op.execute(_STATISTICS_OF_CALL)
