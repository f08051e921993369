"""The first tables: what a helpline keeps, and what the database itself sees to.

Logs only grow, and each row is chained to the one before (`chain_...`, `refuse_change`); an urgent
referral always has a running deadline; a change to what is counted throws away the kept copy of
its day (`statistics_of_...`). The tables of the job store are procrastinate's own, as its pinned
version ships them: when that version changes its tables, a further migration applies its files.
"""

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from psycopg import ClientCursor
from sqlalchemy import Text, Uuid
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

FUNCTIONS = [
    """
    CREATE FUNCTION refuse_change()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $function$
    """,
    """
    CREATE FUNCTION call_events_digest(e call_events)
     RETURNS bytea
     LANGUAGE sql
     IMMUTABLE
    AS $function$
          SELECT sha256(e.previous || convert_to(jsonb_build_array(
            e.call_id, e.kind, e.source, extract(epoch FROM e.at), e.delivery_key, e.detail, e.answer
          )::text, 'UTF8'))
        $function$
    """,
    """
    CREATE FUNCTION audit_entries_digest(e audit_entries)
     RETURNS bytea
     LANGUAGE sql
     IMMUTABLE
    AS $function$
          SELECT sha256(e.previous || convert_to(jsonb_build_array(
            extract(epoch FROM e.at), e.actor, e.action, e.subject, e.detail
          )::text, 'UTF8'))
        $function$
    """,
    """
    CREATE FUNCTION record_events_digest(e record_events)
     RETURNS bytea
     LANGUAGE sql
     IMMUTABLE
    AS $function$
          SELECT sha256(e.previous || convert_to(jsonb_build_array(
            e.subject_kind, e.subject_id, e.kind, extract(epoch FROM e.at), e.staff_id, e.detail,
            encode(coalesce(e.words_sealed, ''::bytea), 'hex'), e.words_id
          )::text, 'UTF8'))
        $function$
    """,
    """
    CREATE FUNCTION chain_call_event()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          UPDATE calls SET event_count = event_count + 1,
            heard_at = CASE WHEN NEW.delivery_key IS NULL THEN heard_at
                            ELSE greatest(heard_at, NEW.at) END
            WHERE id = NEW.call_id;
          SELECT hash INTO NEW.previous FROM call_events
            WHERE call_id = NEW.call_id ORDER BY id DESC LIMIT 1;
          NEW.previous := coalesce(NEW.previous, ''::bytea);
          NEW.hash := call_events_digest(NEW);
          RETURN NEW;
        END $function$
    """,
    """
    CREATE FUNCTION chain_audit_entry()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        DECLARE last audit_entries;
        BEGIN
          PERFORM pg_advisory_xact_lock(116112);
          SELECT * INTO last FROM audit_entries ORDER BY id DESC LIMIT 1;
          NEW.previous := coalesce(last.hash, ''::bytea);
          NEW.id := coalesce(last.id, 0) + 1;
          NEW.hash := audit_entries_digest(NEW);
          RETURN NEW;
        END $function$
    """,
    """
    CREATE FUNCTION chain_record_event()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          -- One at a time for each subject, whoever holds its row.
          PERFORM pg_advisory_xact_lock(hashtextextended(NEW.subject_id::text, 116115));
          SELECT hash INTO NEW.previous FROM record_events
            WHERE subject_id = NEW.subject_id ORDER BY id DESC LIMIT 1;
          NEW.previous := coalesce(NEW.previous, ''::bytea);
          -- The number is given under the lock, so that the order of ids is the chain's.
          NEW.id := nextval(pg_get_serial_sequence('record_events', 'id'));
          NEW.hash := record_events_digest(NEW);
          RETURN NEW;
        END $function$
    """,
    """
    CREATE FUNCTION check_running_deadline()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        DECLARE subject uuid := (to_jsonb(NEW) ->> TG_ARGV[0])::uuid;
        BEGIN
          IF EXISTS (
            SELECT FROM referrals r WHERE r.id = subject
              AND r.urgency IN ('immediate', 'urgent')
              AND r.state IN ('draft', 'sent', 'delivered', 'failed', 'rejected', 'redirected', 'expired')
              AND NOT EXISTS (
                SELECT FROM deadlines c WHERE c.referral_id = r.id AND c.kind = 'acknowledge'
                  AND c.stopped_at IS NULL)
          ) THEN
            RAISE EXCEPTION 'an urgent referral would have no running deadline'
              USING ERRCODE = 'check_violation';
          END IF;
          RETURN NULL;
        END $function$
    """,
    """
    CREATE FUNCTION is_practice(call uuid, contact uuid)
     RETURNS boolean
     LANGUAGE sql
     STABLE
    AS $function$
          SELECT EXISTS (SELECT FROM calls c JOIN lines l ON l.id = c.line_id
            WHERE l.practice
              AND c.id = coalesce(call, (SELECT call_id FROM contacts WHERE id = contact)))
        $function$
    """,
    """
    CREATE FUNCTION rank_call()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
            BEGIN
              NEW.ranked_at := NEW.queued_at - make_interval(secs => NEW.priority);
              RETURN NEW;
            END $function$
    """,
    """
    CREATE FUNCTION forget_statistics(at timestamp with time zone)
     RETURNS void
     LANGUAGE plpgsql
    AS $function$
    DECLARE told date := (at AT TIME ZONE 'UTC')::date;
    BEGIN
      IF at IS NULL THEN RETURN; END IF;
      PERFORM pg_advisory_xact_lock_shared(710007, told - date '2000-01-01');
      DELETE FROM statistic_days WHERE day = told;
    END $function$
    """,
    """
    CREATE FUNCTION statistics_of_call()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
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
          RETURN NULL;
        END $function$
    """,
    """
    CREATE FUNCTION statistics_of_part()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          PERFORM forget_statistics((SELECT opened_at FROM calls
            WHERE id = CASE WHEN TG_OP = 'DELETE' THEN OLD.call_id ELSE NEW.call_id END));
          RETURN NULL;
        END $function$
    """,
    """
    CREATE FUNCTION statistics_of_contact()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          IF TG_OP <> 'INSERT' THEN
            PERFORM forget_statistics(coalesce(
              (SELECT opened_at FROM calls WHERE id = OLD.call_id), OLD.taken_at));
          END IF;
          IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND (NEW.taken_at <> OLD.taken_at
              OR NEW.call_id IS DISTINCT FROM OLD.call_id)) THEN
            PERFORM forget_statistics(coalesce(
              (SELECT opened_at FROM calls WHERE id = NEW.call_id), NEW.taken_at));
          END IF;
          RETURN NULL;
        END $function$
    """,
    """
    CREATE FUNCTION statistics_of_presence()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          PERFORM forget_statistics(NEW.at);
          IF NEW.before = 'wrap_up' THEN
            PERFORM forget_statistics((SELECT c.opened_at FROM offers o JOIN calls c ON c.id = o.call_id
              WHERE o.counsellor_id = NEW.counsellor_id AND o.connected_at IS NOT NULL
              ORDER BY o.released_at DESC LIMIT 1));
          END IF;
          RETURN NULL;
        END $function$
    """,
    """
    CREATE FUNCTION statistics_of_line()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          IF NEW.practice <> OLD.practice THEN
            PERFORM pg_advisory_xact_lock(710007, -1);
            DELETE FROM statistic_days;
          END IF;
          RETURN NULL;
        END $function$
    """,
    """
    CREATE FUNCTION statistics_of_staff()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          IF NEW.lines <> OLD.lines THEN
            PERFORM pg_advisory_xact_lock(710007, -1);
            DELETE FROM statistic_days;
          END IF;
          RETURN NULL;
        END $function$
    """,
]

TRIGGERS = [
    "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON audit_entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER chain BEFORE INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION chain_audit_entry()",
    "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON call_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER chain BEFORE INSERT ON call_events FOR EACH ROW EXECUTE FUNCTION chain_call_event()",
    "CREATE TRIGGER statistics AFTER INSERT ON call_events FOR EACH ROW WHEN ((new.kind = ANY (ARRAY['hold'::text, 'resume'::text, 'handed_over'::text]))) EXECUTE FUNCTION statistics_of_part()",
    "CREATE TRIGGER rank BEFORE INSERT OR UPDATE OF queued_at, priority ON calls FOR EACH ROW EXECUTE FUNCTION rank_call()",
    "CREATE TRIGGER statistics AFTER INSERT OR DELETE OR UPDATE ON calls FOR EACH ROW EXECUTE FUNCTION statistics_of_call()",
    "CREATE CONSTRAINT TRIGGER running_deadline AFTER UPDATE ON deadlines DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.stopped_at IS NOT NULL)) EXECUTE FUNCTION check_running_deadline('referral_id')",
    "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON completed_versions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON consents FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER statistics AFTER INSERT OR DELETE OR UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION statistics_of_contact()",
    "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON definitions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON disclosures FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON earlier_answers FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER statistics AFTER UPDATE ON lines FOR EACH ROW EXECUTE FUNCTION statistics_of_line()",
    "CREATE TRIGGER statistics AFTER INSERT OR DELETE OR UPDATE ON offers FOR EACH ROW EXECUTE FUNCTION statistics_of_part()",
    "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON presence_changes FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER statistics AFTER INSERT ON presence_changes FOR EACH ROW EXECUTE FUNCTION statistics_of_presence()",
    "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public_releases FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON received_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON record_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER chain BEFORE INSERT ON record_events FOR EACH ROW EXECUTE FUNCTION chain_record_event()",
    "CREATE CONSTRAINT TRIGGER running_deadline AFTER INSERT OR UPDATE ON referrals DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.urgency = ANY (ARRAY['immediate'::text, 'urgent'::text])) AND (new.state = ANY (ARRAY['draft'::text, 'sent'::text, 'delivered'::text, 'failed'::text, 'rejected'::text, 'redirected'::text, 'expired'::text])))) EXECUTE FUNCTION check_running_deadline('id')",
    "CREATE TRIGGER statistics AFTER UPDATE ON staff FOR EACH ROW EXECUTE FUNCTION statistics_of_staff()",
    "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON urgency_decisions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
]


def upgrade() -> None:
    op.create_table(
        "agencies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sector", sa.Text(), nullable=False),
        sa.Column("services", postgresql.ARRAY(Text()), nullable=False),
        sa.Column("areas", postgresql.ARRAY(Text()), nullable=False),
        sa.Column("age_from", sa.Integer(), nullable=True),
        sa.Column("age_to", sa.Integer(), nullable=True),
        sa.Column("hours", sa.Text(), server_default="", nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("languages", postgresql.ARRAY(Text()), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("sms", sa.Text(), nullable=True),
        sa.Column("deputy", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("verified_on", sa.Date(), nullable=True),
        sa.Column("verified_by", sa.Text(), server_default="", nullable=False),
        sa.Column("doubted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("webhook_url", sa.Text(), nullable=True),
        sa.Column("webhook_secret_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("primero", postgresql.JSONB(astext_type=Text()), nullable=True),
        sa.Column("primero_password_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("changed_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "sector IN ('social_welfare', 'police', 'health', 'mental_health', 'education', 'justice', 'shelter', 'mobile_outreach', 'legal_aid', 'family_support', 'missing_children', 'helpline_abroad', 'own_house')",
            name=op.f("ck_agencies_sector"),
        ),
        sa.CheckConstraint(
            "age_from IS NULL OR age_to IS NULL OR age_from <= age_to",
            name=op.f("ck_agencies_ages"),
        ),
        sa.CheckConstraint(
            "valid_from IS NULL OR valid_until IS NULL OR valid_from < valid_until",
            name=op.f("ck_agencies_valid"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agencies")),
        sa.UniqueConstraint("code", name=op.f("uq_agencies_code")),
    )
    op.create_index(
        "ix_agencies_services", "agencies", ["services"], unique=False, postgresql_using="gin"
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_key", postgresql.BYTEA(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("revoked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("name", name=op.f("uq_api_tokens_name")),
        sa.UniqueConstraint("token_key", name=op.f("uq_api_tokens_token_key")),
    )
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.Column("previous", postgresql.BYTEA(), nullable=False),
        sa.Column("hash", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    op.create_index("ix_audit_entries_at", "audit_entries", ["at"], unique=False)
    op.create_index("ix_audit_entries_subject", "audit_entries", ["subject", "id"], unique=False)
    op.create_table(
        "definitions",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", postgresql.BYTEA(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("registered_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "version", name=op.f("pk_definitions")),
    )
    op.create_table(
        "holidays",
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("free", sa.Boolean(), server_default="true", nullable=False),
        sa.PrimaryKeyConstraint("held_on", name=op.f("pk_holidays")),
    )
    op.create_table(
        "leg_pace",
        sa.Column("id", sa.Integer(), server_default="1", nullable=False),
        sa.Column("next_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_leg_pace_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leg_pace")),
    )
    op.create_table(
        "leg_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("urgency", sa.Integer(), nullable=False),
        sa.Column("wanted_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leg_requests")),
    )
    op.create_index(
        "ix_leg_requests_urgency", "leg_requests", ["urgency", "wanted_at"], unique=False
    )
    op.create_table(
        "lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("danger_digit", sa.Text(), server_default="9", nullable=False),
        sa.Column("opening_hours", sa.Text(), server_default="24/7", nullable=False),
        sa.Column("active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column(
            "plan", postgresql.JSONB(astext_type=Text()), server_default="{}", nullable=False
        ),
        sa.Column("practice", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("shown_number", sa.Text(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lines")),
        sa.UniqueConstraint("number", name=op.f("uq_lines_number")),
    )
    op.create_table(
        "match_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", postgresql.BYTEA(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('name', 'sound', 'heard', 'number', 'born')", name=op.f("ck_match_keys_kind")
        ),
        sa.CheckConstraint(
            "subject_kind IN ('contact', 'case')", name=op.f("ck_match_keys_subject_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_keys")),
    )
    op.create_index(
        "ix_match_keys_earlier",
        "match_keys",
        ["subject_id"],
        unique=False,
        postgresql_where=sa.text("kind = 'sound'"),
    )
    op.create_index(
        "ix_match_keys_key", "match_keys", ["key", "subject_kind", "subject_id"], unique=False
    )
    op.create_index("ix_match_keys_subject_id", "match_keys", ["subject_id", "path"], unique=False)
    op.create_table(
        "profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["merged_into"], ["profiles.id"], name=op.f("fk_profiles_merged_into")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles")),
        sa.UniqueConstraint("code", name=op.f("uq_profiles_code")),
    )
    op.create_table(
        "reconciled",
        sa.Column("id", sa.Integer(), server_default="1", nullable=False),
        sa.Column("until_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_reconciled_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciled")),
    )
    op.create_table(
        "service_targets",
        sa.Column("since", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("since", name=op.f("pk_service_targets")),
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("endpoint_kind", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=True),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("languages", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("lines", sa.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("skills", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("training", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("team", sa.Text(), server_default="", nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(endpoint_kind = 'browser') = (endpoint IS NULL)", name=op.f("ck_staff_endpoint")
        ),
        sa.CheckConstraint(
            "endpoint_kind IN ('browser', 'client', 'phone', 'sip')",
            name=op.f("ck_staff_endpoint_kind"),
        ),
        sa.CheckConstraint(
            "role IN ('counsellor', 'supervisor', 'administrator', 'referral_officer', 'auditor')",
            name=op.f("ck_staff_role"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("identity", name=op.f("uq_staff_identity")),
        sa.UniqueConstraint("name", name=op.f("uq_staff_name")),
    )
    op.create_table(
        "statistic_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("made_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_statistic_days")),
    )
    op.create_table(
        "alarms",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("owner_asked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("decided_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("words_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("begun_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("acknowledged_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("next_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("turn", sa.Integer(), server_default="0", nullable=False),
        sa.Column("round", sa.Integer(), server_default="0", nullable=False),
        sa.Column("step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("phone", sa.Integer(), server_default="-1", nullable=False),
        sa.CheckConstraint(
            "kind IN ('no_counsellor_signed_in', 'all_away', 'last_one_misses', 'long_wait', 'draft_not_sent', 'override_not_seen', 'danger_not_referred', 'risk_rose', 'details_not_opened', 'withdrawal_undecided')",
            name=op.f("ck_alarms_kind"),
        ),
        sa.CheckConstraint(
            "(line_id IS NULL) <> (subject_id IS NULL)", name=op.f("ck_alarms_about")
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["staff.id"], name=op.f("fk_alarms_decided_by")),
        sa.ForeignKeyConstraint(
            ["line_id"], ["lines.id"], name=op.f("fk_alarms_line_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_alarms_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
    )
    op.create_index("ix_alarms_subject_id", "alarms", ["subject_id"], unique=False)
    op.create_index(
        "uq_alarms_open_line",
        "alarms",
        ["line_id", "language"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL AND line_id IS NOT NULL"),
    )
    op.create_index(
        "uq_alarms_open_subject",
        "alarms",
        ["subject_id", "kind"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL AND subject_id IS NOT NULL"),
    )
    op.create_table(
        "asked_tables",
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("question", postgresql.BYTEA(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["token_id"],
            ["api_tokens.id"],
            name=op.f("fk_asked_tables_token_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_id", "day", "question", name=op.f("pk_asked_tables")),
    )
    op.create_table(
        "calendar_feeds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("token_key", postgresql.BYTEA(), nullable=False),
        sa.Column("made_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("read_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("revoked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_calendar_feeds_staff_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feeds")),
        sa.UniqueConstraint("token_key", name=op.f("uq_calendar_feeds_token_key")),
    )
    op.create_index(
        "uq_calendar_feeds_staff_id",
        "calendar_feeds",
        ["staff_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "caller_flags",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("caller_key", postgresql.BYTEA(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.Column("made_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("lifted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('blocked', 'at_risk', 'test_caller')", name=op.f("ck_caller_flags_kind")
        ),
        sa.CheckConstraint("expires_at > made_at", name=op.f("ck_caller_flags_expires_at")),
        sa.ForeignKeyConstraint(
            ["lifted_by"], ["staff.id"], name=op.f("fk_caller_flags_lifted_by")
        ),
        sa.ForeignKeyConstraint(["made_by"], ["staff.id"], name=op.f("fk_caller_flags_made_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_caller_flags")),
    )
    op.create_index("ix_caller_flags_caller_key", "caller_flags", ["caller_key"], unique=False)
    op.create_table(
        "caller_wishes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("caller_key", postgresql.BYTEA(), nullable=False),
        sa.Column("counsellor_id", sa.Uuid(), nullable=False),
        sa.Column("wish", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.Column("made_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("wish IN ('prefer', 'never')", name=op.f("ck_caller_wishes_wish")),
        sa.ForeignKeyConstraint(
            ["counsellor_id"],
            ["staff.id"],
            name=op.f("fk_caller_wishes_counsellor_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["made_by"], ["staff.id"], name=op.f("fk_caller_wishes_made_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_caller_wishes")),
    )
    op.create_index("ix_caller_wishes_caller_key", "caller_wishes", ["caller_key"], unique=False)
    op.create_table(
        "calls",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_sid", sa.Text(), nullable=True),
        sa.Column("line_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), server_default="greeting", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("danger", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("ranked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("wanted_skills", sa.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("wanted_skills_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("preferred_id", sa.Uuid(), nullable=True),
        sa.Column("preferred_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("excluded_ids", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        sa.Column("caller_kind", sa.Text(), nullable=False),
        sa.Column("caller_number_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("caller_key", postgresql.BYTEA(), nullable=True),
        sa.Column("greeted", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("opened_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("queued_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("entries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("answered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), server_default="inbound", nullable=False),
        sa.Column("callback_id", sa.Uuid(), nullable=True),
        sa.Column("sending", sa.Text(), nullable=True),
        sa.Column("rung_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("partner_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("transferred_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("asked_back", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("blocked", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("lost", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("unstaffed", sa.Text(), nullable=True),
        sa.Column("returned", sa.Integer(), server_default="0", nullable=False),
        sa.Column("messages", sa.Integer(), server_default="0", nullable=False),
        sa.Column("held_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("handed_to", sa.Uuid(), nullable=True),
        sa.Column("kept_room_id", sa.Uuid(), nullable=True),
        sa.Column("heard_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("asked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("event_count", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "(state = 'ended') = (ended_at IS NOT NULL)", name=op.f("ck_calls_ended_at")
        ),
        sa.CheckConstraint(
            "(state = 'ended') = (outcome IS NOT NULL)", name=op.f("ck_calls_ended_outcome")
        ),
        sa.CheckConstraint(
            "caller_kind <> 'withheld' OR caller_key IS NULL", name=op.f("ck_calls_withheld")
        ),
        sa.CheckConstraint(
            "caller_kind IN ('e164', 'client', 'sip', 'written', 'withheld', 'other')",
            name=op.f("ck_calls_caller_kind"),
        ),
        sa.CheckConstraint(
            "(direction = 'outbound') = (sending IS NOT NULL)",
            name=op.f("ck_calls_sending_if_outbound"),
        ),
        sa.CheckConstraint(
            "CASE direction WHEN 'inbound' THEN provider_sid IS NOT NULL ELSE provider_sid IS NULL OR sending = 'sent' END",
            name=op.f("ck_calls_provider_sid"),
        ),
        sa.CheckConstraint(
            "sending IN ('wanted', 'sending', 'sent', 'failed')",
            name=op.f("ck_calls_sending"),
        ),
        sa.CheckConstraint("direction IN ('inbound', 'outbound')", name=op.f("ck_calls_direction")),
        sa.CheckConstraint(
            "ended_by IN ('caller', 'counsellor', 'program', 'provider')",
            name=op.f("ck_calls_ended_by"),
        ),
        sa.CheckConstraint(
            "outcome IN ('answered', 'abandoned_in_greeting', 'short_abandon', 'abandoned_in_queue', 'voicemail', 'callback_requested', 'transferred_out', 'no_counsellor_on_duty', 'out_of_hours', 'blocked', 'failed', 'lost', 'unreachable')",
            name=op.f("ck_calls_outcome"),
        ),
        sa.CheckConstraint(
            "state <> 'connected' OR answered_at IS NOT NULL", name=op.f("ck_calls_answered_at")
        ),
        sa.CheckConstraint(
            "state IN ('greeting', 'queued', 'offered', 'connected', 'ended')",
            name=op.f("ck_calls_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('queued', 'offered', 'connected') OR queued_at IS NOT NULL",
            name=op.f("ck_calls_queued_at"),
        ),
        sa.CheckConstraint(
            "unstaffed IN ('out_of_hours', 'no_counsellor_on_duty')",
            name=op.f("ck_calls_unstaffed"),
        ),
        sa.CheckConstraint(
            "caller_number_sealed IS NULL OR caller_key IS NOT NULL",
            name=op.f("ck_calls_caller_number"),
        ),
        sa.ForeignKeyConstraint(["line_id"], ["lines.id"], name=op.f("fk_calls_line_id")),
        sa.ForeignKeyConstraint(["preferred_id"], ["staff.id"], name=op.f("fk_calls_preferred_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
        sa.UniqueConstraint("provider_sid", name=op.f("uq_calls_provider_sid")),
    )
    op.create_index(op.f("ix_calls_callback_id"), "calls", ["callback_id"], unique=False)
    op.create_index("ix_calls_caller_key", "calls", ["caller_key", "opened_at"], unique=False)
    op.create_index(
        "ix_calls_in_danger",
        "calls",
        ["ranked_at"],
        unique=False,
        postgresql_where=sa.text("danger AND state IN ('queued', 'offered')"),
    )
    op.create_index(
        "ix_calls_live",
        "calls",
        ["state"],
        unique=False,
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.create_index(
        "ix_calls_numbers",
        "calls",
        ["ended_at"],
        unique=False,
        postgresql_where=sa.text("caller_number_sealed IS NOT NULL"),
    )
    op.create_index("ix_calls_opened_at", "calls", ["opened_at"], unique=False)
    op.create_index(
        "ix_calls_waiting",
        "calls",
        ["line_id", "language", "ranked_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_table(
        "cases",
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("workflow_version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("separation_risk", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("separation_outcome", sa.Text(), nullable=True),
        sa.Column("risk", sa.Text(), nullable=True),
        sa.Column("risk_rose_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("form_version", sa.Integer(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=False),
        sa.Column("categories_version", sa.Integer(), nullable=False),
        sa.Column("places", sa.Text(), nullable=False),
        sa.Column("places_version", sa.Integer(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("opened_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "answers", postgresql.JSONB(astext_type=Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "sealed", postgresql.JSONB(astext_type=Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "versions", postgresql.JSONB(astext_type=Text()), server_default="{}", nullable=False
        ),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("edited_by", sa.Uuid(), nullable=True),
        sa.Column("edited_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("edited_from", sa.Integer(), server_default="0", nullable=False),
        sa.Column("headline", sa.Text(), nullable=True),
        sa.Column("headline_words", sa.Text(), server_default="", nullable=False),
        sa.Column("category_codes", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("place_path", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("risk IN ('low', 'medium', 'high')", name=op.f("ck_cases_risk")),
        sa.CheckConstraint(
            "separation_outcome IN ('with_family', 'kin', 'foster', 'residential', 'unknown')",
            name=op.f("ck_cases_separation_outcome"),
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_cases_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("code", name=op.f("uq_cases_code")),
    )
    op.create_index(
        "ix_cases_category_codes", "cases", ["category_codes"], unique=False, postgresql_using="gin"
    )
    op.create_index(
        "ix_cases_headline",
        "cases",
        [sa.literal_column("to_tsvector('simple'::regconfig, headline_words)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index("ix_cases_opened_at", "cases", ["opened_at"], unique=False)
    op.create_index("ix_cases_owner_id", "cases", ["owner_id", "opened_at"], unique=False)
    op.create_index(
        "ix_cases_place_path", "cases", ["place_path"], unique=False, postgresql_using="gin"
    )
    op.create_index(
        "ix_cases_risk_rose_at",
        "cases",
        ["risk_rose_at"],
        unique=False,
        postgresql_where=sa.text("risk_rose_at IS NOT NULL AND closed_at IS NULL"),
    )
    op.create_index("ix_cases_status", "cases", ["status", "opened_at"], unique=False)
    op.create_index("ix_cases_team", "cases", ["team", "opened_at"], unique=False)
    op.create_table(
        "coverage_alarms",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("from_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("until_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("told_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("seen_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("kind IN ('ahead', 'begun')", name=op.f("ck_coverage_alarms_kind")),
        sa.ForeignKeyConstraint(
            ["line_id"], ["lines.id"], name=op.f("fk_coverage_alarms_line_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["seen_by"], ["staff.id"], name=op.f("fk_coverage_alarms_seen_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coverage_alarms")),
    )
    op.create_index("ix_coverage_alarms_until_at", "coverage_alarms", ["until_at"], unique=False)
    op.create_table(
        "duty_phones",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("hours", sa.Text(), server_default="", nullable=False),
        sa.Column("doubted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("gone_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_duty_phones_agency_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_phones")),
        sa.UniqueConstraint(
            "agency_id", "position", name=op.f("uq_duty_phones_agency_id_position")
        ),
    )
    op.create_table(
        "earlier_answers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=Text()), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("replaced_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("replaced_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "subject_kind IN ('contact', 'case', 'referral')",
            name=op.f("ck_earlier_answers_subject_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["replaced_by"], ["staff.id"], name=op.f("fk_earlier_answers_replaced_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_earlier_answers")),
    )
    op.create_index(
        "ix_earlier_answers_subject_id", "earlier_answers", ["subject_id", "id"], unique=False
    )
    op.create_table(
        "exports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("begins", sa.Text(), nullable=False),
        sa.Column("ends", sa.Text(), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="asked", nullable=False),
        sa.Column("personal", sa.Boolean(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("token_id", sa.Uuid(), nullable=True),
        sa.Column("asked_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("reason_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("as_of", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("of", sa.Integer(), server_default="0", nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("digest", postgresql.BYTEA(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "NOT personal OR state IN ('asked', 'refused') OR decided_by IS NOT NULL",
            name=op.f("ck_exports_approved"),
        ),
        sa.CheckConstraint(
            "state IN ('asked', 'approved', 'refused', 'making', 'ready', 'failed', 'expired')",
            name=op.f("ck_exports_state"),
        ),
        sa.CheckConstraint(
            "NOT personal OR reason_sealed IS NOT NULL", name=op.f("ck_exports_reason")
        ),
        sa.CheckConstraint("decided_by <> asked_by", name=op.f("ck_exports_second_person")),
        sa.ForeignKeyConstraint(["asked_by"], ["staff.id"], name=op.f("fk_exports_asked_by")),
        sa.ForeignKeyConstraint(["decided_by"], ["staff.id"], name=op.f("fk_exports_decided_by")),
        sa.ForeignKeyConstraint(["token_id"], ["api_tokens.id"], name=op.f("fk_exports_token_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exports")),
    )
    op.create_index("ix_exports_asked_at", "exports", ["asked_at"], unique=False)
    op.create_table(
        "line_languages",
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("digit", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("voice", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["line_id"], ["lines.id"], name=op.f("fk_line_languages_line_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("line_id", "language", name=op.f("pk_line_languages")),
    )
    op.create_index(
        "uq_line_languages_line_id_digit", "line_languages", ["line_id", "digit"], unique=True
    )
    op.create_table(
        "line_numbers",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["line_id"], ["lines.id"], name=op.f("fk_line_numbers_line_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_line_numbers")),
    )
    op.create_index(op.f("ix_line_numbers_line_id"), "line_numbers", ["line_id"], unique=False)
    op.create_table(
        "mandates",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["agency_id"], ["agencies.id"], name=op.f("fk_mandates_agency_id")),
        sa.PrimaryKeyConstraint("service", "place", name=op.f("pk_mandates")),
    )
    op.create_index(op.f("ix_mandates_agency_id"), "mandates", ["agency_id"], unique=False)
    op.create_table(
        "presence_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("counsellor_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "after IN ('off_duty', 'available', 'offered', 'on_call', 'wrap_up', 'break', 'away')",
            name=op.f("ck_presence_changes_after"),
        ),
        sa.CheckConstraint(
            "before IN ('off_duty', 'available', 'offered', 'on_call', 'wrap_up', 'break', 'away')",
            name=op.f("ck_presence_changes_before"),
        ),
        sa.ForeignKeyConstraint(
            ["counsellor_id"], ["staff.id"], name=op.f("fk_presence_changes_counsellor_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_presence_changes")),
    )
    op.create_index("ix_presence_changes_at", "presence_changes", ["at"], unique=False)
    op.create_index(
        "ix_presence_changes_counsellor_id",
        "presence_changes",
        ["counsellor_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_presence_changes_of", "presence_changes", ["counsellor_id", "at"], unique=False
    )
    op.create_table(
        "presences",
        sa.Column("counsellor_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default="off_duty", nullable=False),
        sa.Column("since", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("idle_since", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("heartbeat_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("until_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("after_call", sa.Text(), nullable=True),
        sa.Column("missed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("warned_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("cause", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "after_call IN ('available', 'break', 'off_duty')", name=op.f("ck_presences_after_call")
        ),
        sa.CheckConstraint(
            "state IN ('off_duty', 'available', 'offered', 'on_call', 'wrap_up', 'break', 'away')",
            name=op.f("ck_presences_state"),
        ),
        sa.ForeignKeyConstraint(
            ["counsellor_id"],
            ["staff.id"],
            name=op.f("fk_presences_counsellor_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("counsellor_id", name=op.f("pk_presences")),
    )
    op.create_index("ix_presences_state", "presences", ["state"], unique=False)
    op.create_table(
        "profile_numbers",
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("caller_key", postgresql.BYTEA(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profiles.id"], name=op.f("fk_profile_numbers_profile_id")
        ),
        sa.PrimaryKeyConstraint("profile_id", "caller_key", name=op.f("pk_profile_numbers")),
    )
    op.create_index(
        "ix_profile_numbers_caller_key", "profile_numbers", ["caller_key"], unique=False
    )
    op.create_table(
        "prompts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("audio", postgresql.BYTEA(), nullable=True),
        sa.Column("audio_type", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(text IS NULL) <> (audio IS NULL)", name=op.f("ck_prompts_text_or_audio")
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["lines.id"], name=op.f("fk_prompts_line_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompts")),
    )
    op.create_index(
        "uq_prompts_line_id_language_key",
        "prompts",
        ["line_id", "language", "key"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "public_releases",
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("begins_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("made_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.Column("tables", postgresql.JSONB(astext_type=Text()), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.text("daterange(begins_on, ends_on)"), "&&"),
            using="gist",
            name="ex_public_releases_period",
        ),
        sa.ForeignKeyConstraint(["made_by"], ["staff.id"], name=op.f("fk_public_releases_made_by")),
        sa.PrimaryKeyConstraint("period", name=op.f("pk_public_releases")),
    )
    op.create_table(
        "record_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.Column("words_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("words_id", sa.Uuid(), nullable=True),
        sa.Column("previous", postgresql.BYTEA(), nullable=False),
        sa.Column("hash", postgresql.BYTEA(), nullable=False),
        sa.CheckConstraint(
            "subject_kind IN ('contact', 'case', 'profile', 'referral')",
            name=op.f("ck_record_events_subject_kind"),
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_record_events_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_events")),
    )
    op.create_index(
        "ix_record_events_subject_id", "record_events", ["subject_id", "id"], unique=False
    )
    op.create_table(
        "report_schedules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("every", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("next_on", sa.Date(), nullable=False),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "every IN ('day', 'week', 'month', 'quarter', 'year')",
            name=op.f("ck_report_schedules_every"),
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["staff.id"], name=op.f("fk_report_schedules_created_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_schedules")),
    )
    op.create_table(
        "rota_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("counsellor_id", sa.Uuid(), nullable=False),
        sa.Column("instead_id", sa.Uuid(), nullable=True),
        sa.Column("layer", sa.Text(), server_default="primary", nullable=False),
        sa.Column("from_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("until_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.Column("made_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("settled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(kind = 'swap') = (instead_id IS NOT NULL)", name=op.f("ck_rota_changes_instead")
        ),
        sa.CheckConstraint(
            "kind IN ('absence', 'extra', 'swap')", name=op.f("ck_rota_changes_kind")
        ),
        sa.CheckConstraint(
            "layer IN ('primary', 'backup', 'supervisor', 'on_call')",
            name=op.f("ck_rota_changes_layer"),
        ),
        sa.CheckConstraint(
            "state IN ('asked', 'in_force', 'refused', 'withdrawn')",
            name=op.f("ck_rota_changes_state"),
        ),
        sa.CheckConstraint("from_at < until_at", name=op.f("ck_rota_changes_until_at")),
        sa.CheckConstraint(
            "instead_id <> counsellor_id", name=op.f("ck_rota_changes_another_person")
        ),
        sa.ForeignKeyConstraint(
            ["counsellor_id"],
            ["staff.id"],
            name=op.f("fk_rota_changes_counsellor_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["instead_id"],
            ["staff.id"],
            name=op.f("fk_rota_changes_instead_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["made_by"], ["staff.id"], name=op.f("fk_rota_changes_made_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rota_changes")),
    )
    op.create_index("ix_rota_changes_until_at", "rota_changes", ["until_at"], unique=False)
    op.create_table(
        "shifts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("counsellor_id", sa.Uuid(), nullable=False),
        sa.Column("recurrence", sa.Text(), nullable=True),
        sa.Column("starts_at", sa.Time(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=True),
        sa.Column("layer", sa.Text(), server_default="primary", nullable=False),
        sa.Column("on_holidays", sa.Text(), server_default="works", nullable=False),
        sa.Column("except_on", sa.ARRAY(sa.Date()), server_default="{}", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "layer IN ('primary', 'backup', 'supervisor', 'on_call')", name=op.f("ck_shifts_layer")
        ),
        sa.CheckConstraint(
            "on_holidays IN ('works', 'off', 'only')", name=op.f("ck_shifts_on_holidays")
        ),
        sa.CheckConstraint(
            "last_on IS NULL OR last_on >= first_on", name=op.f("ck_shifts_last_on")
        ),
        sa.CheckConstraint("minutes > 0 AND minutes <= 1440", name=op.f("ck_shifts_minutes")),
        sa.ForeignKeyConstraint(
            ["counsellor_id"],
            ["staff.id"],
            name=op.f("fk_shifts_counsellor_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shifts")),
    )
    op.create_index(op.f("ix_shifts_counsellor_id"), "shifts", ["counsellor_id"], unique=False)
    op.create_table(
        "staff_sessions",
        sa.Column("token_key", postgresql.BYTEA(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_sessions_staff_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_key", name=op.f("pk_staff_sessions")),
    )
    op.create_index(
        op.f("ix_staff_sessions_staff_id"), "staff_sessions", ["staff_id"], unique=False
    )
    op.create_table(
        "statistic_columns",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("words", postgresql.ARRAY(Text()), nullable=True),
        sa.Column("offsets", postgresql.BYTEA(), nullable=True),
        sa.Column("data", postgresql.BYTEA(), nullable=False),
        sa.ForeignKeyConstraint(
            ["day"],
            ["statistic_days.day"],
            name=op.f("fk_statistic_columns_day"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("day", "name", name=op.f("pk_statistic_columns")),
    )
    op.create_table(
        "alarm_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alarm_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), server_default="0", nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Integer(), server_default="30", nullable=False),
        sa.Column("sending", sa.Text(), server_default="wanted", nullable=False),
        sa.Column("wanted_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("sent_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("provider_sid", sa.Text(), nullable=True),
        sa.Column("asks", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "kind IN ('phone', 'sms', 'email')", name=op.f("ck_alarm_attempts_kind")
        ),
        sa.CheckConstraint(
            "sending IN ('wanted', 'sending', 'sent', 'failed')",
            name=op.f("ck_alarm_attempts_sending"),
        ),
        sa.ForeignKeyConstraint(
            ["alarm_id"], ["alarms.id"], name=op.f("fk_alarm_attempts_alarm_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_attempts")),
        sa.UniqueConstraint("provider_sid", name=op.f("uq_alarm_attempts_provider_sid")),
    )
    op.create_index(
        "ix_alarm_attempts_alarm_id", "alarm_attempts", ["alarm_id", "number"], unique=False
    )
    op.create_table(
        "call_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("delivery_key", sa.Text(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=Text()), nullable=True),
        sa.Column("previous", postgresql.BYTEA(), nullable=False),
        sa.Column("hash", postgresql.BYTEA(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_call_events_call_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_events")),
        sa.UniqueConstraint("delivery_key", name=op.f("uq_call_events_delivery_key")),
    )
    op.create_index("ix_call_events_call_id", "call_events", ["call_id", "id"], unique=False)
    op.create_index(
        "ix_call_events_held",
        "call_events",
        ["call_id"],
        unique=False,
        postgresql_where=sa.text("kind IN ('hold', 'handed_over')"),
    )
    op.create_table(
        "call_questions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="asked", nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("asked_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("answered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('asked', 'answered', 'unanswered')", name=op.f("ck_call_questions_state")
        ),
        sa.ForeignKeyConstraint(
            ["asked_by"], ["staff.id"], name=op.f("fk_call_questions_asked_by")
        ),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_call_questions_call_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_questions")),
    )
    op.create_index(
        "ix_call_questions_call_id", "call_questions", ["call_id", "asked_at"], unique=False
    )
    op.create_index(
        "uq_call_questions_asked",
        "call_questions",
        ["call_id"],
        unique=True,
        postgresql_where=sa.text("state = 'asked'"),
    )
    op.create_table(
        "callbacks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("caller_key", postgresql.BYTEA(), nullable=False),
        sa.Column("number_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("window_from", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("window_until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("first_due_until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), server_default="agreed", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("slot", sa.Text(), server_default="chosen", nullable=False),
        sa.Column("passes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("talked_by", sa.Uuid(), nullable=True),
        sa.Column("machine", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("next_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("agreed_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.Column("done_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("done_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("slot IN ('soon', 'chosen')", name=op.f("ck_callbacks_slot")),
        sa.CheckConstraint(
            "state IN ('agreed', 'trying', 'spoken', 'reached', 'given_up', 'cancelled')",
            name=op.f("ck_callbacks_state"),
        ),
        sa.CheckConstraint("who IN ('caller', 'anyone')", name=op.f("ck_callbacks_who")),
        sa.CheckConstraint("window_from < window_until", name=op.f("ck_callbacks_window")),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_callbacks_call_id")),
        sa.ForeignKeyConstraint(["done_by"], ["staff.id"], name=op.f("fk_callbacks_done_by")),
        sa.ForeignKeyConstraint(["line_id"], ["lines.id"], name=op.f("fk_callbacks_line_id")),
        sa.ForeignKeyConstraint(["made_by"], ["staff.id"], name=op.f("fk_callbacks_made_by")),
        sa.ForeignKeyConstraint(["talked_by"], ["staff.id"], name=op.f("fk_callbacks_talked_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callbacks")),
    )
    op.create_index(op.f("ix_callbacks_call_id"), "callbacks", ["call_id"], unique=False)
    op.create_index("ix_callbacks_caller_key", "callbacks", ["caller_key"], unique=False)
    op.create_index(
        "ix_callbacks_next_at",
        "callbacks",
        ["next_at"],
        unique=False,
        postgresql_where=sa.text("state = 'agreed'"),
    )
    op.create_index(
        "uq_callbacks_caller_key_open",
        "callbacks",
        ["caller_key"],
        unique=True,
        postgresql_where=sa.text("state IN ('agreed', 'trying')"),
    )
    op.create_table(
        "case_documents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("name_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("content_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("scan", sa.Text(), nullable=False),
        sa.Column("flags", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("removed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("removed_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("scan IN ('clean', 'not_scanned')", name=op.f("ck_case_documents_scan")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_documents_case_id")),
        sa.ForeignKeyConstraint(
            ["removed_by"], ["staff.id"], name=op.f("fk_case_documents_removed_by")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_case_documents_staff_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_documents")),
    )
    op.create_index("ix_case_documents_case_id", "case_documents", ["case_id"], unique=False)
    op.create_table(
        "case_flags",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("words_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=True),
        sa.Column("raised_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("raised_by", sa.Uuid(), nullable=False),
        sa.Column("lowered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("lowered_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "about IN ('danger_at_a_visit', 'do_not_ring', 'court_date', 'to_be_reviewed', 'other')",
            name=op.f("ck_case_flags_about"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_flags_case_id")),
        sa.ForeignKeyConstraint(
            ["lowered_by"], ["staff.id"], name=op.f("fk_case_flags_lowered_by")
        ),
        sa.ForeignKeyConstraint(["raised_by"], ["staff.id"], name=op.f("fk_case_flags_raised_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_flags")),
    )
    op.create_index(
        "ix_case_flags_case_id",
        "case_flags",
        ["case_id"],
        unique=False,
        postgresql_where=sa.text("lowered_at IS NULL"),
    )
    op.create_table(
        "case_links",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=False),
        sa.Column("tie", sa.Text(), nullable=False),
        sa.Column("linked_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("linked_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "tie IN ('siblings', 'same_household', 'same_incident', 'same_child')",
            name=op.f("ck_case_links_tie"),
        ),
        sa.CheckConstraint("case_id < other_id", name=op.f("ck_case_links_in_order")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_links_case_id")),
        sa.ForeignKeyConstraint(["linked_by"], ["staff.id"], name=op.f("fk_case_links_linked_by")),
        sa.ForeignKeyConstraint(["other_id"], ["cases.id"], name=op.f("fk_case_links_other_id")),
        sa.PrimaryKeyConstraint("case_id", "other_id", name=op.f("pk_case_links")),
    )
    op.create_index("ix_case_links_other_id", "case_links", ["other_id"], unique=False)
    op.create_table(
        "case_members",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("opened_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("since", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_members_case_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_case_members_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", "case_id", name=op.f("pk_case_members")),
    )
    op.create_index("ix_case_members_case_id", "case_members", ["case_id"], unique=False)
    op.create_index(
        "ix_case_members_newest", "case_members", ["staff_id", "opened_at", "case_id"], unique=False
    )
    op.create_table(
        "case_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("to_status", sa.Text(), nullable=True),
        sa.Column("to_team", sa.Text(), nullable=True),
        sa.Column("to_id", sa.Uuid(), nullable=True),
        sa.Column("reason_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("asked_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("decided_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("agreed", sa.Boolean(), nullable=True),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (agreed IS NULL)", name=op.f("ck_case_requests_decided_at")
        ),
        sa.CheckConstraint(
            "(to_status IS NULL) <> (to_team IS NULL)", name=op.f("ck_case_requests_one_thing")
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["staff.id"], name=op.f("fk_case_requests_asked_by")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_requests_case_id")),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["staff.id"], name=op.f("fk_case_requests_decided_by")
        ),
        sa.ForeignKeyConstraint(["to_id"], ["staff.id"], name=op.f("fk_case_requests_to_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_requests")),
    )
    op.create_index(
        "ix_case_requests_open",
        "case_requests",
        ["case_id", sa.literal_column("(to_status IS NULL)")],
        unique=True,
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.create_index(
        "ix_case_requests_to_id",
        "case_requests",
        ["to_id"],
        unique=False,
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.create_table(
        "contacts",
        sa.Column("call_id", sa.Uuid(), nullable=True),
        sa.Column("profile_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), server_default="draft", nullable=False),
        sa.Column("closed_as", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("on_behalf_of", sa.Uuid(), nullable=True),
        sa.Column("taken_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("urgency", sa.Text(), nullable=True),
        sa.Column("urgency_suggested", sa.Text(), nullable=True),
        sa.Column("completed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("completed_by", sa.Uuid(), nullable=True),
        sa.Column("completions", sa.Integer(), server_default="0", nullable=False),
        sa.Column("danger_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("form_version", sa.Integer(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=False),
        sa.Column("categories_version", sa.Integer(), nullable=False),
        sa.Column("places", sa.Text(), nullable=False),
        sa.Column("places_version", sa.Integer(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("opened_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "answers", postgresql.JSONB(astext_type=Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "sealed", postgresql.JSONB(astext_type=Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "versions", postgresql.JSONB(astext_type=Text()), server_default="{}", nullable=False
        ),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("edited_by", sa.Uuid(), nullable=True),
        sa.Column("edited_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("edited_from", sa.Integer(), server_default="0", nullable=False),
        sa.Column("headline", sa.Text(), nullable=True),
        sa.Column("headline_words", sa.Text(), server_default="", nullable=False),
        sa.Column("category_codes", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("place_path", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "channel IN ('call', 'voice_message', 'email', 'walk_in', 'letter', 'outreach', 'chat', 'other')",
            name=op.f("ck_contacts_channel"),
        ),
        sa.CheckConstraint(
            "closed_as IN ('silent', 'hang_up', 'wrong_number', 'test', 'prank', 'abusive', 'thanks', 'question')",
            name=op.f("ck_contacts_closed_as"),
        ),
        sa.CheckConstraint(
            "source IN ('live', 'afterwards', 'paper', 'on_behalf')",
            name=op.f("ck_contacts_source"),
        ),
        sa.CheckConstraint(
            "state <> 'complete' OR completed_at IS NOT NULL", name=op.f("ck_contacts_completed_at")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'complete', 'reopened')", name=op.f("ck_contacts_state")
        ),
        sa.CheckConstraint(
            "urgency IN ('immediate', 'urgent', 'priority', 'routine')",
            name=op.f("ck_contacts_urgency"),
        ),
        sa.CheckConstraint(
            "urgency_suggested IN ('immediate', 'urgent', 'priority', 'routine')",
            name=op.f("ck_contacts_urgency_suggested"),
        ),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_contacts_call_id")),
        sa.ForeignKeyConstraint(
            ["completed_by"], ["staff.id"], name=op.f("fk_contacts_completed_by")
        ),
        sa.ForeignKeyConstraint(
            ["on_behalf_of"], ["staff.id"], name=op.f("fk_contacts_on_behalf_of")
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_contacts_owner_id")),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profiles.id"], name=op.f("fk_contacts_profile_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint("call_id", name=op.f("uq_contacts_call_id")),
        sa.UniqueConstraint("code", name=op.f("uq_contacts_code")),
    )
    op.create_index(
        "ix_contacts_category_codes",
        "contacts",
        ["category_codes"],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(
        "ix_contacts_danger_at",
        "contacts",
        ["danger_at"],
        unique=False,
        postgresql_where=sa.text("danger_at IS NOT NULL"),
    )
    op.create_index(
        "ix_contacts_headline",
        "contacts",
        [sa.literal_column("to_tsvector('simple'::regconfig, headline_words)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(
        "ix_contacts_open",
        "contacts",
        ["owner_id"],
        unique=False,
        postgresql_where=sa.text("state <> 'complete'"),
    )
    op.create_index("ix_contacts_opened_at", "contacts", ["opened_at"], unique=False)
    op.create_index("ix_contacts_owner_id", "contacts", ["owner_id", "opened_at"], unique=False)
    op.create_index(
        "ix_contacts_place_path", "contacts", ["place_path"], unique=False, postgresql_using="gin"
    )
    op.create_index("ix_contacts_profile_id", "contacts", ["profile_id"], unique=False)
    op.create_index("ix_contacts_taken_at", "contacts", ["taken_at"], unique=False)
    op.create_index("ix_contacts_team", "contacts", ["team", "opened_at"], unique=False)
    op.create_table(
        "export_parts",
        sa.Column("export_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("begins_at", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("data_sealed", postgresql.BYTEA(), nullable=False),
        sa.ForeignKeyConstraint(
            ["export_id"],
            ["exports.id"],
            name=op.f("fk_export_parts_export_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("export_id", "number", name=op.f("pk_export_parts")),
    )
    op.create_table(
        "follow_ups",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("words_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("goal", sa.Text(), nullable=True),
        sa.Column("provider_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("reminded_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("overdue_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("done_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("done_by", sa.Uuid(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("result_sealed", postgresql.BYTEA(), nullable=True),
        sa.CheckConstraint(
            "about IN ('check', 'call_back', 'separation', 'document', 'conference', 'intervention', 'review')",
            name=op.f("ck_follow_ups_about"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_follow_ups_case_id")),
        sa.ForeignKeyConstraint(["done_by"], ["staff.id"], name=op.f("fk_follow_ups_done_by")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_follow_ups_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follow_ups")),
    )
    op.create_index("ix_follow_ups_case_id", "follow_ups", ["case_id"], unique=False)
    op.create_index(
        "ix_follow_ups_owner_id",
        "follow_ups",
        ["owner_id"],
        unique=False,
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "legs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=True),
        sa.Column("provider_sid", sa.Text(), nullable=True),
        sa.Column("sending", sa.Text(), server_default="wanted", nullable=False),
        sa.Column("sent_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("asks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("end_wanted", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("answered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("sip_code", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "sending IN ('wanted', 'sending', 'sent', 'failed', 'dialled')",
            name=op.f("ck_legs_sending"),
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'initiated', 'ringing', 'in-progress', 'completed', 'busy', 'failed', 'no-answer', 'canceled')",
            name=op.f("ck_legs_status"),
        ),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_legs_call_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legs")),
        sa.UniqueConstraint("provider_sid", name=op.f("uq_legs_provider_sid")),
    )
    op.create_index(
        "ix_legs_live",
        "legs",
        ["call_id"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(op.f("ix_legs_offer_id"), "legs", ["offer_id"], unique=False)
    op.create_index(op.f("ix_legs_participant_id"), "legs", ["participant_id"], unique=False)
    op.create_table(
        "offers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("counsellor_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("opened_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("accepted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("connected_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("released_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("room_id", sa.Uuid(), nullable=True),
        sa.Column("muted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("conference_sid", sa.Text(), nullable=True),
        sa.Column("move_wanted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("lost_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("carried_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("asked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state IN ('declined', 'missed', 'withdrawn')) <= (released_at IS NOT NULL)",
            name=op.f("ck_offers_released"),
        ),
        sa.CheckConstraint(
            "state <> 'connected' OR connected_at IS NOT NULL", name=op.f("ck_offers_connected_at")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'accepted', 'connected', 'declined', 'missed', 'withdrawn')",
            name=op.f("ck_offers_state"),
        ),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_offers_call_id")),
        sa.ForeignKeyConstraint(
            ["counsellor_id"], ["staff.id"], name=op.f("fk_offers_counsellor_id")
        ),
        sa.ForeignKeyConstraint(["room_id"], ["offers.id"], name=op.f("fk_offers_room_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
    )
    op.create_index("ix_offers_call_id", "offers", ["call_id"], unique=False)
    op.create_index(op.f("ix_offers_conference_sid"), "offers", ["conference_sid"], unique=False)
    op.create_index("ix_offers_opened_at", "offers", ["opened_at"], unique=False)
    op.create_index(op.f("ix_offers_room_id"), "offers", ["room_id"], unique=False)
    op.create_index(
        "ix_offers_talks",
        "offers",
        ["counsellor_id", "released_at"],
        unique=False,
        postgresql_where=sa.text("connected_at IS NOT NULL"),
    )
    op.create_index(
        "uq_offers_call_accepted",
        "offers",
        ["call_id"],
        unique=True,
        postgresql_where=sa.text("released_at IS NULL AND state IN ('accepted', 'connected')"),
    )
    op.create_index(
        "uq_offers_counsellor_held",
        "offers",
        ["counsellor_id"],
        unique=True,
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_table(
        "voice_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("recording_sid", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="recorded", nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=True),
        sa.Column("audio_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("audio_type", sa.Text(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("provider_deleted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("heard_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("heard_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "state IN ('recorded', 'imported', 'absent')", name=op.f("ck_voice_messages_state")
        ),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_voice_messages_call_id")),
        sa.ForeignKeyConstraint(
            ["heard_by"], ["staff.id"], name=op.f("fk_voice_messages_heard_by")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["staff.id"], name=op.f("fk_voice_messages_owner_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voice_messages")),
        sa.UniqueConstraint("recording_sid", name=op.f("uq_voice_messages_recording_sid")),
    )
    op.create_index(op.f("ix_voice_messages_call_id"), "voice_messages", ["call_id"], unique=False)
    op.create_index("ix_voice_messages_state", "voice_messages", ["state"], unique=False)
    op.create_table(
        "case_contacts",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("linked_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_contacts_case_id")),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_case_contacts_contact_id")
        ),
        sa.PrimaryKeyConstraint("case_id", "contact_id", name=op.f("pk_case_contacts")),
    )
    op.create_index("ix_case_contacts_contact_id", "case_contacts", ["contact_id"], unique=False)
    op.create_table(
        "completed_versions",
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("answers", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.Column("sealed", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_completed_versions_contact_id")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_completed_versions_staff_id")
        ),
        sa.PrimaryKeyConstraint("contact_id", "number", name=op.f("pk_completed_versions")),
    )
    op.create_table(
        "contact_readers",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("opened_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("since", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_contact_readers_contact_id")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_contact_readers_staff_id")
        ),
        sa.PrimaryKeyConstraint("staff_id", "contact_id", name=op.f("pk_contact_readers")),
    )
    op.create_index(
        "ix_contact_readers_contact_id", "contact_readers", ["contact_id"], unique=False
    )
    op.create_index(
        "ix_contact_readers_newest",
        "contact_readers",
        ["staff_id", "opened_at", "contact_id"],
        unique=False,
    )
    op.create_table(
        "openings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("contacts", postgresql.ARRAY(Uuid()), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("reason_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("reviewed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("reviewed_by", sa.Uuid(), nullable=True),
        sa.Column("fitting", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_openings_contact_id")
        ),
        sa.ForeignKeyConstraint(
            ["reviewed_by"], ["staff.id"], name=op.f("fk_openings_reviewed_by")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_openings_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_openings")),
    )
    op.create_index("ix_openings_at", "openings", ["at"], unique=False)
    op.create_index("ix_openings_contact_id", "openings", ["contact_id"], unique=False)
    op.create_index("ix_openings_staff_id", "openings", ["staff_id", "until"], unique=False)
    op.create_index(
        "ix_openings_to_review",
        "openings",
        ["team"],
        unique=False,
        postgresql_where=sa.text("reviewed_at IS NULL"),
    )
    op.create_table(
        "participants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("room_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), server_default="talk", nullable=False),
        sa.Column("state", sa.Text(), server_default="ringing", nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("number_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("wanted_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("joined_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("left_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("owner_offer_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "mode IN ('talk', 'listen', 'whisper')", name=op.f("ck_participants_mode")
        ),
        sa.CheckConstraint(
            "purpose IN ('consult', 'transfer', 'third_party', 'supervise', 'panic')",
            name=op.f("ck_participants_purpose"),
        ),
        sa.CheckConstraint(
            "role IS NULL OR role IN ('police', 'mobile_outreach', 'interpreter', 'social_welfare', 'medical', 'other')",
            name=op.f("ck_participants_role"),
        ),
        sa.CheckConstraint(
            "state IN ('ringing', 'in', 'left', 'failed')", name=op.f("ck_participants_state")
        ),
        sa.CheckConstraint(
            "(staff_id IS NULL) = (number_sealed IS NOT NULL)", name=op.f("ck_participants_who")
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["staff.id"], name=op.f("fk_participants_asked_by")),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_participants_call_id")),
        sa.ForeignKeyConstraint(
            ["owner_offer_id"], ["offers.id"], name=op.f("fk_participants_owner_offer_id")
        ),
        sa.ForeignKeyConstraint(["room_id"], ["offers.id"], name=op.f("fk_participants_room_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_participants_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participants")),
    )
    op.create_index("ix_participants_call_id", "participants", ["call_id"], unique=False)
    op.create_index(
        "uq_participants_staff_live",
        "participants",
        ["staff_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('ringing', 'in')"),
    )
    op.create_table(
        "referrals",
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("call_id", sa.Uuid(), nullable=True),
        sa.Column("opened_together", sa.Uuid(), nullable=False),
        sa.Column("opened_by", sa.Uuid(), nullable=True),
        sa.Column("opened_how", sa.Text(), nullable=False),
        sa.Column("urgency", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("protocol_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default="draft", nullable=False),
        sa.Column("child_entry", sa.Text(), nullable=True),
        sa.Column("to_confirm", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("child_age", sa.Integer(), nullable=True),
        sa.Column("family_first", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("separation_risk", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=True),
        sa.Column("agency_id", sa.Uuid(), nullable=True),
        sa.Column("escalation_round", sa.Integer(), server_default="0", nullable=False),
        sa.Column("escalation_step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("escalation_phone", sa.Integer(), server_default="-1", nullable=False),
        sa.Column("escalates_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("turn", sa.Integer(), server_default="0", nullable=False),
        sa.Column("warm", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("urgency_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("withdrawal_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("recall_wanted_by", sa.Uuid(), nullable=True),
        sa.Column("sent_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("acknowledged_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("house_has_it", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("accepted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("written_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("completed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("update_due_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("announced_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("wants_feedback", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("feedback_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("form_version", sa.Integer(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=False),
        sa.Column("categories_version", sa.Integer(), nullable=False),
        sa.Column("places", sa.Text(), nullable=False),
        sa.Column("places_version", sa.Integer(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("opened_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "answers", postgresql.JSONB(astext_type=Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "sealed", postgresql.JSONB(astext_type=Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "versions", postgresql.JSONB(astext_type=Text()), server_default="{}", nullable=False
        ),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("edited_by", sa.Uuid(), nullable=True),
        sa.Column("edited_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("edited_from", sa.Integer(), server_default="0", nullable=False),
        sa.Column("headline", sa.Text(), nullable=True),
        sa.Column("headline_words", sa.Text(), server_default="", nullable=False),
        sa.Column("category_codes", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("place_path", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "opened_how IN ('urgent_button', 'danger_key', 'contact', 'by_hand', 'case')",
            name=op.f("ck_referrals_opened_how"),
        ),
        sa.CheckConstraint(
            "outcome IN ('child_safe_at_home_with_plan', 'placed_shelter', 'with_kin', 'placed_foster', 'placed_residential', 'police_action', 'medical_care', 'family_supported', 'declined_by_family', 'unable_to_locate', 'referred_on', 'other')",
            name=op.f("ck_referrals_outcome"),
        ),
        sa.CheckConstraint(
            "service IN ('child_protection', 'police', 'emergency_medical', 'health', 'mental_health', 'education', 'justice', 'shelter', 'mobile_outreach', 'legal_aid', 'family_support', 'disability_support', 'missing_child', 'helpline_abroad', 'supervisor_on_call', 'director_on_call')",
            name=op.f("ck_referrals_service"),
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'sent', 'delivered', 'acknowledged', 'accepted', 'in_progress', 'completed', 'closed', 'failed', 'rejected', 'redirected', 'recalled', 'expired', 'consent_withdrawn')",
            name=op.f("ck_referrals_state"),
        ),
        sa.CheckConstraint(
            "urgency IN ('immediate', 'urgent', 'priority', 'routine')",
            name=op.f("ck_referrals_urgency"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_referrals_agency_id")
        ),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_referrals_call_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_referrals_case_id")),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_referrals_contact_id")
        ),
        sa.ForeignKeyConstraint(["opened_by"], ["staff.id"], name=op.f("fk_referrals_opened_by")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_referrals_owner_id")),
        sa.ForeignKeyConstraint(
            ["recall_wanted_by"], ["staff.id"], name=op.f("fk_referrals_recall_wanted_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referrals")),
        sa.UniqueConstraint("code", name=op.f("uq_referrals_code")),
    )
    op.create_index(op.f("ix_referrals_agency_id"), "referrals", ["agency_id"], unique=False)
    op.create_index("ix_referrals_call_id", "referrals", ["call_id"], unique=False)
    op.create_index(
        "ix_referrals_category_codes",
        "referrals",
        ["category_codes"],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index("ix_referrals_contact_id", "referrals", ["contact_id"], unique=False)
    op.create_index(
        "ix_referrals_escalating",
        "referrals",
        ["escalates_at"],
        unique=False,
        postgresql_where=sa.text("escalates_at IS NOT NULL"),
    )
    op.create_index(
        "ix_referrals_headline",
        "referrals",
        [sa.literal_column("to_tsvector('simple'::regconfig, headline_words)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index("ix_referrals_opened_at", "referrals", ["opened_at"], unique=False)
    op.create_index("ix_referrals_owner_id", "referrals", ["owner_id", "opened_at"], unique=False)
    op.create_index(
        "ix_referrals_place_path", "referrals", ["place_path"], unique=False, postgresql_using="gin"
    )
    op.create_index("ix_referrals_state", "referrals", ["state", "opened_at"], unique=False)
    op.create_index("ix_referrals_team", "referrals", ["team", "opened_at"], unique=False)
    op.create_index(
        "ix_referrals_withdrawal_at",
        "referrals",
        ["withdrawal_at"],
        unique=False,
        postgresql_where=sa.text("withdrawal_at IS NOT NULL"),
    )
    op.create_index(
        "uq_referrals_danger_key",
        "referrals",
        ["call_id"],
        unique=True,
        postgresql_where=sa.text("opened_how = 'danger_key'"),
    )
    op.create_table(
        "urgency_decisions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("urgency", sa.Text(), nullable=False),
        sa.Column("suggested", sa.Text(), nullable=True),
        sa.Column("cues", postgresql.ARRAY(Text()), nullable=False),
        sa.Column("reason_sealed", postgresql.BYTEA(), nullable=True),
        sa.CheckConstraint(
            "suggested IN ('immediate', 'urgent', 'priority', 'routine')",
            name=op.f("ck_urgency_decisions_suggested"),
        ),
        sa.CheckConstraint(
            "urgency IN ('immediate', 'urgent', 'priority', 'routine')",
            name=op.f("ck_urgency_decisions_urgency"),
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_urgency_decisions_contact_id")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_urgency_decisions_staff_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_urgency_decisions")),
    )
    op.create_index(
        "ix_urgency_decisions_contact_id", "urgency_decisions", ["contact_id", "at"], unique=False
    )
    op.create_table(
        "consents",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=True),
        sa.Column("how", sa.Text(), nullable=True),
        sa.Column("scope", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("withheld_from", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("for_what", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("basis", sa.Text(), nullable=True),
        sa.Column("child_told", sa.Boolean(), nullable=True),
        sa.Column("despite", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("words_sealed", postgresql.BYTEA(), nullable=True),
        sa.CheckConstraint(
            "(kind = 'override') = (basis IS NOT NULL)", name=op.f("ck_consents_basis_of_override")
        ),
        sa.CheckConstraint(
            "basis IN ('vital_interests', 'legal_obligation', 'best_interests')",
            name=op.f("ck_consents_basis"),
        ),
        sa.CheckConstraint(
            "kind <> 'override' OR words_sealed IS NOT NULL", name=op.f("ck_consents_reason")
        ),
        sa.CheckConstraint(
            "kind IN ('consent', 'override', 'withdrawn')", name=op.f("ck_consents_kind")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_consents_referral_id")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_consents_staff_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_consents")),
    )
    op.create_index("ix_consents_referral_id", "consents", ["referral_id", "number"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_try_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_answer", sa.Text(), server_default="", nullable=False),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'delivered', 'dead')", name=op.f("ck_deliveries_state")
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_deliveries_agency_id")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_deliveries_referral_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "agency_id",
            "referral_id",
            "sequence",
            name=op.f("uq_deliveries_agency_id_referral_id_sequence"),
        ),
    )
    op.create_index("ix_deliveries_state", "deliveries", ["state", "created_at"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("for_whom", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("seen_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "for_whom IN ('owner', 'supervisors')", name=op.f("ck_notices_for_whom")
        ),
        sa.CheckConstraint(
            "kind IN ('breach', 'override', 'call_back', 'question', 'rejected', 'no_agency_left', 'wrong_service', 'wrong_number', 'urgency_lowered', 'completed', 'undelivered', 'ring_them', 'withdrawn', 'recall_wanted', 'unmapped', 'danger_unanswered', 'escalated')",
            name=op.f("ck_notices_kind"),
        ),
        sa.ForeignKeyConstraint(["author_id"], ["staff.id"], name=op.f("fk_notices_author_id")),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_notices_referral_id")
        ),
        sa.ForeignKeyConstraint(["seen_by"], ["staff.id"], name=op.f("fk_notices_seen_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index("ix_notices_referral_id", "notices", ["referral_id"], unique=False)
    op.create_index(
        "ix_notices_unseen",
        "notices",
        ["at"],
        unique=False,
        postgresql_where=sa.text("seen_at IS NULL"),
    )
    op.create_table(
        "received_events",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_received_events_agency_id")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_received_events_referral_id")
        ),
        sa.PrimaryKeyConstraint("agency_id", "event_id", name=op.f("pk_received_events")),
    )
    op.create_table(
        "recipients",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("why", postgresql.ARRAY(Text()), nullable=False),
        sa.Column("offered_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("delivered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("acknowledged_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("accepted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("details_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("read_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("read_revision", sa.Integer(), nullable=True),
        sa.Column("announced_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "reason IN ('no_capacity', 'outside_area', 'outside_mandate', 'age_out_of_range', 'insufficient_information', 'duplicate', 'cannot_locate', 'other')",
            name=op.f("ck_recipients_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('offered', 'delivered', 'acknowledged', 'accepted', 'in_progress', 'completed', 'rejected', 'unanswered', 'withdrawn')",
            name=op.f("ck_recipients_state"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_recipients_agency_id")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_recipients_referral_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipients")),
        sa.UniqueConstraint("referral_id", "number", name=op.f("uq_recipients_referral_id_number")),
    )
    op.create_index(
        "ix_recipients_agency_id", "recipients", ["agency_id", "offered_at"], unique=False
    )
    op.create_index("ix_recipients_offered_at", "recipients", ["offered_at"], unique=False)
    op.create_table(
        "same_children",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("contact_entry", sa.Text(), nullable=False),
        sa.Column("case_entry", sa.Text(), nullable=True),
        sa.Column("said_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("said_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id", "contact_id"],
            ["case_contacts.case_id", "case_contacts.contact_id"],
            name=op.f("fk_same_children_case_id_contact_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["said_by"], ["staff.id"], name=op.f("fk_same_children_said_by")),
        sa.PrimaryKeyConstraint(
            "case_id", "contact_id", "contact_entry", name=op.f("pk_same_children")
        ),
    )
    op.create_index(
        "ix_same_children_contact_id",
        "same_children",
        ["contact_id", "contact_entry"],
        unique=False,
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=True),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), server_default="0", nullable=False),
        sa.Column("purpose", sa.Text(), server_default="escalation", nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Integer(), server_default="30", nullable=False),
        sa.Column("children", sa.Integer(), server_default="1", nullable=False),
        sa.Column("sending", sa.Text(), server_default="wanted", nullable=False),
        sa.Column("wanted_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("sent_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("answered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("provider_sid", sa.Text(), nullable=True),
        sa.Column("asks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("kind IN ('phone', 'sms', 'email')", name=op.f("ck_attempts_kind")),
        sa.CheckConstraint(
            "purpose IN ('escalation', 'code', 'link', 'withdrawn', 'recalled', 'answer', 'update')",
            name=op.f("ck_attempts_purpose"),
        ),
        sa.CheckConstraint(
            "result IN ('acknowledged', 'wants_to_be_called_back', 'wrong_number', 'no_answer', 'busy', 'machine', 'no_key_pressed', 'not_confirmed', 'unreachable', 'delivered', 'failed', 'not_needed_any_more')",
            name=op.f("ck_attempts_result"),
        ),
        sa.CheckConstraint(
            "sending IN ('wanted', 'sending', 'sent', 'failed')", name=op.f("ck_attempts_sending")
        ),
        sa.ForeignKeyConstraint(["agency_id"], ["agencies.id"], name=op.f("fk_attempts_agency_id")),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["recipients.id"], name=op.f("fk_attempts_recipient_id")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_attempts_referral_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("provider_sid", name=op.f("uq_attempts_provider_sid")),
        sa.UniqueConstraint("referral_id", "number", name=op.f("uq_attempts_referral_id_number")),
    )
    op.create_index(
        "ix_attempts_open",
        "attempts",
        ["wanted_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_attempts_target", "attempts", ["referral_id", "target"], unique=False)
    op.create_table(
        "agency_cases",
        sa.Column("recipient_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("their_referral", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="wanted", nullable=False),
        sa.Column("their_status", sa.Text(), nullable=True),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("left_out", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("asked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('wanted', 'case_made', 'referred', 'refused', 'ended')",
            name=op.f("ck_agency_cases_state"),
        ),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["recipients.id"], name=op.f("fk_agency_cases_recipient_id")
        ),
        sa.PrimaryKeyConstraint("recipient_id", name=op.f("pk_agency_cases")),
        sa.UniqueConstraint("case_id", name=op.f("uq_agency_cases_case_id")),
    )
    op.create_table(
        "deadlines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("stopped_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("breached_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("breached_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('acknowledge', 'details', 'seen', 'written', 'follow_up', 'team', 'feedback', 'hand_over')",
            name=op.f("ck_deadlines_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["breached_by"], ["recipients.id"], name=op.f("fk_deadlines_breached_by")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_deadlines_referral_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadlines")),
        sa.UniqueConstraint("referral_id", "kind", name=op.f("uq_deadlines_referral_id_kind")),
    )
    op.create_index(op.f("ix_deadlines_breached_by"), "deadlines", ["breached_by"], unique=False)
    op.create_index(
        "ix_deadlines_running",
        "deadlines",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("stopped_at IS NULL"),
    )
    op.create_index(
        "ix_deadlines_unbreached",
        "deadlines",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("stopped_at IS NULL AND breached_at IS NULL"),
    )
    op.create_table(
        "disclosures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=True),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("fields", postgresql.ARRAY(Text()), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_disclosures_agency_id")
        ),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["recipients.id"], name=op.f("fk_disclosures_recipient_id")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_disclosures_referral_id")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_disclosures_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disclosures")),
    )
    op.create_index(
        "ix_disclosures_referral_id", "disclosures", ["referral_id", "id"], unique=False
    )
    op.create_table(
        "dispatches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=True),
        sa.Column("place_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("wanted_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("on_the_way_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("arrived_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("words_sealed", postgresql.BYTEA(), nullable=True),
        sa.CheckConstraint(
            "state IN ('asked', 'on_the_way', 'arrived', 'seen', 'done', 'called_off')",
            name=op.f("ck_dispatches_state"),
        ),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["recipients.id"], name=op.f("fk_dispatches_recipient_id")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_dispatches_referral_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispatches")),
    )
    op.create_index("ix_dispatches_referral_id", "dispatches", ["referral_id"], unique=False)
    op.create_table(
        "links",
        sa.Column("token_key", postgresql.BYTEA(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=True),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("used_for", sa.Text(), nullable=True),
        sa.Column("code_of", sa.Uuid(), nullable=False),
        sa.Column("code_key", postgresql.BYTEA(), nullable=True),
        sa.Column("code_channel", sa.Text(), nullable=True),
        sa.Column("code_tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("proven_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("proof_key", postgresql.BYTEA(), nullable=True),
        sa.ForeignKeyConstraint(["agency_id"], ["agencies.id"], name=op.f("fk_links_agency_id")),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["recipients.id"], name=op.f("fk_links_recipient_id")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_links_referral_id")
        ),
        sa.PrimaryKeyConstraint("token_key", name=op.f("pk_links")),
        sa.UniqueConstraint("id", name=op.f("uq_links_id")),
    )
    op.create_index("ix_links_recipient_id", "links", ["recipient_id"], unique=False)
    op.create_table(
        "deadline_breaches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("deadline_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=True),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["deadline_id"], ["deadlines.id"], name=op.f("fk_deadline_breaches_deadline_id")
        ),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["recipients.id"], name=op.f("fk_deadline_breaches_recipient_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadline_breaches")),
    )
    op.create_index(
        "ix_deadline_breaches_deadline_id", "deadline_breaches", ["deadline_id"], unique=False
    )
    op.create_index(
        "ix_deadline_breaches_recipient_id", "deadline_breaches", ["recipient_id"], unique=False
    )
    # Kept days are packed already: the database does not try to make them smaller.
    op.execute("ALTER TABLE statistic_columns ALTER COLUMN data SET STORAGE EXTERNAL")
    # A reading of a list names fifty records: it stays in its row, written once.
    op.execute("ALTER TABLE audit_entries SET (toast_tuple_target = 8160)")
    for statement in (*FUNCTIONS, *TRIGGERS):
        op.execute(sa.text(statement.replace(":", "\\:")))
    raw = op.get_bind().connection.driver_connection
    assert raw is not None
    # Many statements in one string: without parameters, and not as a prepared statement.
    ClientCursor(raw).execute(SchemaManager.get_schema())


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward")
