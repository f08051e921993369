"""The oldest part of the log of people's acts can be erased by a rule, and its chain goes on.

One function of the owner of the tables does it, and no other way is left: where the log begins
now is written by it alone, and a trigger refuses to delete what stands behind the beginning, or is
young. What still decides about accounts stays beside the log.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BYTEA, JSONB, TIMESTAMP

revision = "0092"
down_revision = "0091"
branch_labels = None
depends_on = None

_KINDS = (
    "caller_numbers",
    "voice_messages",
    "chat_messages",
    "contacts",
    "cases",
    "referrals",
    "export_files",
    "caller_hashes",
    "caller_flags",
    "third_party_numbers",
    "drafts",
    "file_reasons",
    "data_requests",
    "log",
)

# A row goes once the beginning of its log stands behind it, and when it is three years old by the
# clock of the database.
_REFUSE = """
CREATE FUNCTION refuse_delete_but_beginning()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path = public, pg_temp
AS $function$
    BEGIN
      IF OLD.at < now() - interval '1095 days' AND EXISTS (
        SELECT FROM log_beginnings WHERE log = TG_TABLE_NAME AND last_id >= OLD.id)
      THEN
        RETURN OLD;
      END IF;
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $function$
"""

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
# fit its chain, and be older than the rule by the clock of the database. Of two at once the second
# one does nothing.
_ERASE = f"""
CREATE FUNCTION erase_log(log text, up_to bigint, days integer, run uuid)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path = pg_catalog, pg_temp
AS $function$
    DECLARE
      begun bigint;
      link bytea;
      part record;
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
    listed = ", ".join(f"'{kind}'" for kind in _KINDS)
    for table in ("retention_rules", "erasures"):
        op.drop_constraint(f"ck_{table}_kind", table)
        op.create_check_constraint(f"ck_{table}_kind", table, f"kind IN ({listed})")
    _tables()
    op.execute("DROP TRIGGER append_only ON audit_entries")
    op.execute(_REFUSE)
    op.execute(_ERASE)
    op.execute("REVOKE ALL ON FUNCTION erase_log(text, bigint, integer, uuid) FROM PUBLIC")
    for table in ("audit_entries", "kept_entries", "log_beginnings"):
        also = "" if table == "audit_entries" else "DELETE OR "
        op.execute(
            f"CREATE TRIGGER append_only BEFORE {also}UPDATE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE TRIGGER append_only_but_beginning BEFORE DELETE ON audit_entries "
        "FOR EACH ROW EXECUTE FUNCTION refuse_delete_but_beginning()"
    )


def _tables() -> None:
    op.create_table(
        "log_beginnings",
        sa.Column("log", sa.Text, nullable=False),
        sa.Column("last_id", sa.BigInteger, nullable=False),
        sa.Column("hash", BYTEA, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("last_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("days", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("log", "last_id", name=op.f("pk_log_beginnings")),
        sa.CheckConstraint("rows > 0 AND days >= 1095", name=op.f("ck_log_beginnings_rule")),
    )
    op.create_table(
        "kept_entries",
        sa.Column("id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", JSONB, nullable=False),
        sa.Column("previous", BYTEA, nullable=False),
        sa.Column("hash", BYTEA, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_entries")),
    )
    op.create_index("ix_kept_entries_subject", "kept_entries", ["subject", "id"])
