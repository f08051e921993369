"""Rows of logs give up words, or take a new seal, by one function of the owner of the tables.

The program's role may only read and append there (see `app/database/roles.py`), so what it sets in
its own transaction opens nothing. The trigger says what of a row may change: of a record that was
erased what was sealed, and a part of plain answers.
"""

from alembic import op

revision = "0023"
down_revision = "0022"
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
    BEGIN
      IF current_setting('helpline.resealing', true) = 'on' AND now = was
        AND (sealed IS NULL) = (to_jsonb(OLD) ->> TG_ARGV[0] IS NULL)
      THEN
        RETURN NEW;
      END IF;
      IF current_setting('helpline.erasing', true) = 'on'
        AND (sealed IS NULL OR sealed = '{}' OR sealed ~ '^\\x[0-9a-f]{60}$')
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

# `sought`: the values by which rows are found; `put`: what they hold afterwards. Rows that hold it
# already are left alone.
_CHANGE = """
CREATE FUNCTION change_log(why text, log text, sought jsonb, put jsonb)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path = pg_catalog, pg_temp
AS $function$
    DECLARE
      setting text := 'helpline.' || why;
      before text;
      done integer;
    BEGIN
      IF why NOT IN ('erasing', 'resealing') OR sought = '{}' OR NOT EXISTS (
        SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relname = log
          AND t.tgname = 'append_only_but_seals')
      THEN
        RAISE EXCEPTION 'rows of % are not changed in this way', log
          USING ERRCODE = 'restrict_violation';
      END IF;
      before := current_setting(setting, true);
      PERFORM set_config(setting, 'on', true);
      EXECUTE format(
        'UPDATE public.%1$I AS r SET (%2$s) = ROW(%3$s)
         FROM jsonb_populate_record(NULL::public.%1$I, $1) AS f,
              jsonb_populate_record(NULL::public.%1$I, $2) AS p
         WHERE %4$s AND (%5$s)',
        log,
        (SELECT string_agg(format('%I', k), ', ') FROM jsonb_object_keys(put) AS k),
        (SELECT string_agg(format('p.%I', k), ', ') FROM jsonb_object_keys(put) AS k),
        (SELECT string_agg(format('r.%1$I = f.%1$I', k), ' AND ')
           FROM jsonb_object_keys(sought) AS k),
        (SELECT string_agg(format('r.%1$I IS DISTINCT FROM p.%1$I', k), ' OR ')
           FROM jsonb_object_keys(put) AS k)
      ) USING sought, put;
      GET DIAGNOSTICS done = ROW_COUNT;
      PERFORM set_config(setting, coalesce(before, ''), true);
      RETURN done;
    END $function$
"""
# What these look up must be our tables, whatever the session's own search path is.
_CHAINS = ("chain_audit_entry()", "chain_call_event()", "chain_record_event()", "refuse_change()")


def upgrade() -> None:
    op.execute(_REFUSE)
    op.execute(_CHANGE)
    op.execute("REVOKE ALL ON FUNCTION change_log(text, text, jsonb, jsonb) FROM PUBLIC")
    for function in _CHAINS:
        op.execute(f"ALTER FUNCTION {function} SET search_path = public, pg_temp")
