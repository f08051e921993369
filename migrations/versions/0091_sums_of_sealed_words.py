"""Sealed words of logs have a sum beside them, which never changes: other words are found by it.

The salt of a sum is sealed and goes with the words, so that what is left tells nothing of them. A
row from before keeps its words without a sum: the check of the logs says of how many.

Rows of a profile that was taken apart give up their words as those of other records do.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0091"
down_revision = "0090"
branch_labels = None
depends_on = None

_WITH_A_SUM = ("consents", "earlier_answers", "record_events", "urgency_decisions")

# The sum belongs to what is chained. A row without one has the hash that it had.
_DIGEST = """
CREATE OR REPLACE FUNCTION record_events_digest(e record_events)
 RETURNS bytea
 LANGUAGE sql
 IMMUTABLE
AS $function$
      SELECT sha256(e.previous || convert_to((jsonb_build_array(
        e.subject_kind, e.subject_id, e.kind, extract(epoch FROM e.at), e.staff_id, e.detail,
        encode(coalesce(e.words_digest, ''::bytea), 'hex'), e.words_id
      ) || CASE WHEN e.words_sum IS NULL THEN '[]'::jsonb
             ELSE jsonb_build_array(encode(e.words_sum, 'hex')) END)::text, 'UTF8'))
    $function$
"""

# Sealed anew: as many words as before, with the same sums. Marked later: an answer that stood in
# the open is sealed, and its sum comes with it. Erased: the salt goes with the words.
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
          OR EXISTS (SELECT FROM profiles WHERE id = record AND erased_at IS NOT NULL))
      THEN
        NEW.salt_sealed := NULL;
        RETURN NEW;
      END IF;
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $function$
"""


def upgrade() -> None:
    for table in _WITH_A_SUM:
        op.add_column(table, sa.Column("words_sum", sa.LargeBinary))
        op.add_column(table, sa.Column("salt_sealed", sa.LargeBinary))
    op.add_column("completed_versions", sa.Column("words_sums", JSONB))
    op.add_column("completed_versions", sa.Column("salt_sealed", sa.LargeBinary))
    op.execute(_DIGEST)
    op.execute(_REFUSE)
