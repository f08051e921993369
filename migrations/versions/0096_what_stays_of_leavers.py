"""What stays of a person who has left is known, and a log is erased by its rule alone.

Keyed hashes of the telephones and addresses that an account had before: by them a leaver is found
in the directory and at lines. Since when something of a leaver is open is kept with the account.

The function that erases the oldest part of the log reads the rule and the holds itself.

Administrators are told of a request about a person's data that was approved and waits.
"""

import sqlalchemy as sa
from alembic import op

revision = "0096"
down_revision = "0095"
branch_labels = None
depends_on = None


# A held record, and what belongs to it: contacts with their cases, referrals and the siblings of
# these, calls, voice messages, call-backs, profiles, and who opened it for a reason or in an
# emergency.
_HELD = """
CREATE FUNCTION held_in_log()
 RETURNS text[]
 LANGUAGE sql
 STABLE
 SET search_path = pg_catalog, pg_temp
AS $function$
    WITH held AS (
      SELECT subject_id AS id FROM public.legal_holds WHERE lifted_at IS NULL
    ), in_case AS (
      SELECT contact_id AS id FROM public.case_contacts WHERE case_id IN (SELECT id FROM held)
    ), first_referral AS (
      SELECT id, opened_together FROM public.referrals WHERE id IN (SELECT id FROM held)
        OR contact_id IN (SELECT id FROM held UNION SELECT id FROM in_case)
        OR case_id IN (SELECT id FROM held)
    ), referral AS (
      SELECT id, contact_id, case_id, call_id FROM public.referrals
      WHERE opened_together IN (SELECT opened_together FROM first_referral)
    ), contact AS (
      SELECT id, call_id, profile_id FROM public.contacts WHERE id IN (
        SELECT id FROM held
        UNION SELECT id FROM in_case
        UNION SELECT contact_id FROM referral)
    ), record AS (
      SELECT id FROM held
      UNION SELECT id FROM contact
      UNION SELECT id FROM referral
      UNION SELECT case_id FROM referral
      UNION SELECT case_id FROM public.case_contacts WHERE contact_id IN (SELECT id FROM held)
    ), call AS (
      SELECT id, callback_id FROM public.calls WHERE id IN (
        SELECT call_id FROM contact UNION SELECT call_id FROM referral)
    ), sought AS (
      SELECT id FROM record
      UNION SELECT id FROM call
      UNION SELECT callback_id FROM call
      UNION SELECT profile_id FROM contact
      UNION SELECT id FROM public.voice_messages WHERE call_id IN (SELECT id FROM call)
      UNION SELECT id FROM public.callbacks WHERE call_id IN (SELECT id FROM call)
      UNION SELECT o.id FROM public.openings AS o
        WHERE o.contact_id IN (SELECT id FROM contact)
          OR EXISTS (SELECT FROM contact WHERE contact.id = ANY(o.contacts))
      UNION SELECT id FROM public.emergencies WHERE subject_id IN (SELECT id FROM record)
    )
    SELECT coalesce(array_agg(id::text ORDER BY id), '{}') FROM sought WHERE id IS NOT NULL
  $function$
"""

# An id at the end of the subject, or a text of the detail, alone or after a colon.
_NAMES_HELD = """cardinality(held) > 0 AND (right(subject, 36) = ANY(held)
  OR pg_column_size(detail) > 36 AND EXISTS (
    SELECT FROM unnest(string_to_array(translate(detail::text, ':', '"'), '"')) AS said
    WHERE said = ANY(held)))"""

# What is read later to find out who made an account, when its person left, and what was set up.
# A change of an account counts if a person could come in by it.
_DECIDES = """
        e.action IN ('access_approved', 'access_given_alone', 'identity_linked',
          'password_chosen', 'password_link_made', 'phone_code_made', 'provider_set',
          'second_factor_reset', 'staff_added', 'staff_changed', 'staff_deactivated',
          'staff_reactivated', 'telephony_set_up')
        AND NOT (e.action = 'staff_changed' AND jsonb_typeof(e.detail -> 'after') = 'object'
          AND (e.detail -> 'after') - '{name,team,languages,lines,skills,training,chats_at_once,
            page_language}'::text[] = '{}')
"""

# Everything up to an entry: a log loses its oldest part, and nothing from its middle. The part must
# fit its chain, be older than the rule by the clock of the database, and name no record that is
# held; rule and holds are read here, whatever the caller says. They do not change meanwhile. Of two
# at once the second one does nothing.
_ERASE = f"""
CREATE OR REPLACE FUNCTION erase_log(log text, up_to bigint, days integer, run uuid)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path = pg_catalog, pg_temp
AS $function$
    DECLARE
      begun bigint;
      link bytea;
      part record;
      rule integer;
      held text[];
    BEGIN
      IF log IS DISTINCT FROM 'audit_entries' THEN
        RAISE EXCEPTION 'rows of % are not erased in this way', log
          USING ERRCODE = 'restrict_violation';
      END IF;
      IF days IS NULL OR days < 1095 THEN
        RAISE EXCEPTION 'a log is kept for 1095 days at least'
          USING ERRCODE = 'restrict_violation';
      END IF;
      IF NOT pg_try_advisory_xact_lock(116129) THEN
        RETURN 0;
      END IF;
      PERFORM pg_advisory_xact_lock_shared(116120);
      SELECT CASE WHEN r.next_at IS NULL THEN r.days
          WHEN r.next_at <= now() THEN r.next_days
          WHEN r.days IS NOT NULL THEN greatest(r.days, r.next_days) END
        INTO rule FROM public.retention_rules AS r
        WHERE r.kind = 'log' AND r.decided_by <> 'program';
      IF rule IS NULL THEN
        RAISE EXCEPTION 'by its rule the log is kept for ever'
          USING ERRCODE = 'restrict_violation';
      END IF;
      IF erase_log.days < rule THEN
        RAISE EXCEPTION 'by its rule the log is kept for % days', rule
          USING ERRCODE = 'restrict_violation';
      END IF;
      SELECT b.last_id, b.hash INTO begun, link FROM public.log_beginnings AS b
        WHERE b.log = erase_log.log ORDER BY b.last_id DESC LIMIT 1;
      begun := coalesce(begun, 0);
      link := coalesce(link, ''::bytea);
      IF up_to - begun > 20000 THEN
        RAISE EXCEPTION 'a log is erased in parts' USING ERRCODE = 'restrict_violation';
      END IF;
      SELECT count(*) AS entries, min(id) AS first, max(id) AS last, max(at) AS youngest,
          bool_and(hash = computed AND previous = expected) AS fits,
          (array_agg(hash ORDER BY id DESC))[1] AS hash
        INTO part
        FROM (SELECT e.id, e.at, e.hash, e.previous, public.audit_entries_digest(e) AS computed,
                lag(e.hash, 1, link) OVER (ORDER BY e.id) AS expected
              FROM public.audit_entries AS e WHERE e.id <= up_to) AS linked;
      IF part.entries = 0 THEN
        RETURN 0;
      END IF;
      IF part.youngest >= now() - make_interval(days => days) THEN
        RAISE EXCEPTION 'the log is kept for % days: some of these entries are younger', days
          USING ERRCODE = 'restrict_violation';
      END IF;
      IF NOT part.fits OR part.first <> begun + 1 OR part.last <> up_to
        OR part.entries <> up_to - begun
      THEN
        RAISE EXCEPTION 'this part of the log does not fit its chain, and is not erased'
          USING ERRCODE = 'restrict_violation';
      END IF;
      held := public.held_in_log();
      IF EXISTS (SELECT FROM public.audit_entries AS e WHERE e.id <= up_to AND ({_NAMES_HELD})) THEN
        RAISE EXCEPTION 'one of these entries names a record that is held'
          USING ERRCODE = 'restrict_violation';
      END IF;
      INSERT INTO public.log_beginnings (log, last_id, hash, rows, last_at, at, days, run_id)
        SELECT erase_log.log, part.last, part.hash, part.entries, e.at, now(), erase_log.days, run
        FROM public.audit_entries AS e WHERE e.id = part.last;
      INSERT INTO public.kept_entries
        SELECT e.* FROM public.audit_entries AS e WHERE e.id <= up_to AND {_DECIDES};
      -- First the entry about it, so that the log is never empty and its numbers go on.
      INSERT INTO public.audit_entries (at, actor, action, subject, detail, previous, hash)
        VALUES (now(), 'program', 'log_entries_erased', 'audit_entries', jsonb_build_object(
          'count', part.entries, 'days', days, 'last', part.last,
          'hash', encode(part.hash, 'hex'), 'run', run), '', '');
      DELETE FROM public.audit_entries AS e WHERE e.id <= up_to;
      RETURN part.entries;
    END $function$
"""


def upgrade() -> None:
    op.create_table(
        "former_addresses",
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("address_key", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("staff_id", "address_key", name="pk_former_addresses"),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name="fk_former_addresses_staff_id", ondelete="CASCADE"
        ),
    )
    op.add_column(
        "directory_accounts", sa.Column("left_open_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.execute(_HELD)
    op.execute(_ERASE)
    op.drop_constraint("ck_safekeeping_notices_kind", "safekeeping_notices")
    op.create_check_constraint(
        "ck_safekeeping_notices_kind",
        "safekeeping_notices",
        "kind IN ('anchor_late', 'backup_late', 'backup_log_late', 'request_late')",
    )
