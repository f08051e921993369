"""Why two profiles were merged, or one was split from another, is about the persons of both: the
words go with either of them. They stand in the log of the profile that is left."""

from alembic import op

revision = "0119"
down_revision = "0118"
branch_labels = None
depends_on = None

# As in 0091, and besides: of a row that names another profile which is erased.
_REFUSE = r"""
CREATE OR REPLACE FUNCTION refuse_change_but_seals()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path = public, pg_temp
AS $function$
    DECLARE
      was jsonb := to_jsonb(OLD) - TG_ARGV[0] - 'salt_sealed';
      now jsonb := to_jsonb(NEW) - TG_ARGV[0] - 'salt_sealed';
      sealed text := to_jsonb(NEW) ->> TG_ARGV[0];
      record uuid := coalesce(now ->> 'subject_id', now ->> 'contact_id', now ->> 'referral_id');
      seals_were jsonb := to_jsonb(OLD) -> TG_ARGV[0];
      seals jsonb := to_jsonb(NEW) -> TG_ARGV[0];
      sums text[] := '{words_sum,words_sums}';
      moved text[] := '{}';
    BEGIN
      IF current_setting('helpline.resealing', true) = 'on' AND now = was
        AND (sealed IS NULL) = (to_jsonb(OLD) ->> TG_ARGV[0] IS NULL)
        AND (NEW.salt_sealed IS NULL) = (OLD.salt_sealed IS NULL)
      THEN
        RETURN NEW;
      END IF;
      IF current_setting('helpline.resealing', true) = 'on' AND TG_NARGS > 1
        AND now - TG_ARGV[1] - sums = was - TG_ARGV[1] - sums
      THEN
        IF seals_were = 'null' AND jsonb_typeof(seals) = 'string'
          AND was -> TG_ARGV[1] <> 'null' AND now -> TG_ARGV[1] = 'null'
          AND was -> 'words_sum' = 'null'
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
            AND (now -> 'words_sums' = was -> 'words_sums'
              OR jsonb_typeof(was -> 'words_sums') = 'object'
                AND jsonb_typeof(now -> 'words_sums') = 'object'
                AND (now -> 'words_sums') - moved = was -> 'words_sums')
            AND (NEW.salt_sealed IS NOT DISTINCT FROM OLD.salt_sealed
              OR OLD.salt_sealed IS NULL AND seals_were = '{}')
          THEN
            RETURN NEW;
          END IF;
        END IF;
      END IF;
      IF current_setting('helpline.erasing', true) = 'on'
        AND (sealed IS NULL OR sealed = '{}' OR sealed ~ '^\\x[0-9a-f]{60}$')
        AND (now = was OR TG_NARGS > 1 AND now - TG_ARGV[1] = was - TG_ARGV[1]
          AND (now -> TG_ARGV[1] = 'null' OR now -> TG_ARGV[1] <@ (was -> TG_ARGV[1])))
        AND (EXISTS (SELECT FROM contacts WHERE id = record AND erased_at IS NOT NULL)
          OR EXISTS (SELECT FROM cases WHERE id = record AND erased_at IS NOT NULL)
          OR EXISTS (SELECT FROM referrals WHERE id = record AND erased_at IS NOT NULL)
          OR EXISTS (SELECT FROM profiles WHERE id = record AND erased_at IS NOT NULL)
          OR EXISTS (SELECT FROM profiles WHERE erased_at IS NOT NULL AND id = CASE
            was ->> 'subject_kind' WHEN 'profile' THEN (was -> 'detail' ->> 'other')::uuid END))
      THEN
        NEW.salt_sealed := NULL;
        RETURN NEW;
      END IF;
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $function$
"""


def upgrade() -> None:
    op.execute(_REFUSE)
