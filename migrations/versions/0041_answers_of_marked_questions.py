"""Logs: an answer whose question was marked as special later may be sealed where it stands.

Of a row that holds an answer in the open, that answer may move into what is sealed; nothing else of
the row changes by it, and nothing moves back.
"""

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_REFUSE = r"""
CREATE OR REPLACE FUNCTION refuse_change_but_seals()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path = public, pg_temp
AS $function$
    DECLARE
      was jsonb := to_jsonb(OLD) - TG_ARGV[0];
      now jsonb := to_jsonb(NEW) - TG_ARGV[0];
      sealed text := to_jsonb(NEW) ->> TG_ARGV[0];
      record uuid := coalesce(now ->> 'subject_id', now ->> 'contact_id', now ->> 'referral_id');
{moved}
    BEGIN
      IF current_setting('helpline.resealing', true) = 'on' AND now = was
        AND (sealed IS NULL) = (to_jsonb(OLD) ->> TG_ARGV[0] IS NULL)
      THEN
        RETURN NEW;
      END IF;
{sealing}
      IF current_setting('helpline.erasing', true) = 'on'
        AND (sealed IS NULL OR sealed = '{{}}' OR sealed ~ '^\\x[0-9a-f]{{60}}$')
        AND (now = was OR TG_NARGS > 1 AND now - TG_ARGV[1] = was - TG_ARGV[1]
          AND (now -> TG_ARGV[1] = 'null' OR now -> TG_ARGV[1] <@ (was -> TG_ARGV[1])))
        AND (EXISTS (SELECT FROM contacts WHERE id = record AND erased_at IS NOT NULL)
          OR EXISTS (SELECT FROM cases WHERE id = record AND erased_at IS NOT NULL)
          OR EXISTS (SELECT FROM referrals WHERE id = record AND erased_at IS NOT NULL))
      THEN
        RETURN NEW;
      END IF;
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $function$
"""
_MOVED = """
      seals_were jsonb := to_jsonb(OLD) -> TG_ARGV[0];
      seals jsonb := to_jsonb(NEW) -> TG_ARGV[0];
      moved text[] := '{}';"""
# One answer by itself, or the answers of a form: those that are sealed now stood in the open.
_SEALING = """
      IF current_setting('helpline.resealing', true) = 'on' AND TG_NARGS > 1
        AND now - TG_ARGV[1] = was - TG_ARGV[1]
      THEN
        IF seals_were = 'null' AND jsonb_typeof(seals) = 'string'
          AND was -> TG_ARGV[1] <> 'null' AND now -> TG_ARGV[1] = 'null'
        THEN
          RETURN NEW;
        END IF;
        IF jsonb_typeof(seals) = 'object' AND jsonb_typeof(seals_were) = 'object'
          AND jsonb_typeof(was -> TG_ARGV[1]) = 'object'
        THEN
          moved := array(
            SELECT jsonb_object_keys(seals) EXCEPT SELECT jsonb_object_keys(seals_were));
          IF seals - moved = seals_were AND (was -> TG_ARGV[1]) ?& moved
            AND now -> TG_ARGV[1] = (was -> TG_ARGV[1]) - moved
          THEN
            RETURN NEW;
          END IF;
        END IF;
      END IF;"""


def upgrade() -> None:
    op.execute(_REFUSE.format(moved=_MOVED, sealing=_SEALING))
