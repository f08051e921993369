"""What the database knows of its keys, and how what is sealed may be sealed anew."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)

# Tables whose rows never change, with the column of sealed values that may be sealed anew.
_SEALED = {
    "completed_versions": "sealed",
    "consents": "words_sealed",
    "earlier_answers": "sealed",
    "record_events": "words_sealed",
    "urgency_decisions": "reason_sealed",
}

# Everything else must be as it was, and there must be a value as before.
_REFUSE_BUT_SEALS = """
CREATE FUNCTION refuse_change_but_seals()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
    BEGIN
      IF current_setting('helpline.resealing', true) IS DISTINCT FROM 'on'
        OR to_jsonb(NEW) - TG_ARGV[0] IS DISTINCT FROM to_jsonb(OLD) - TG_ARGV[0]
        OR (to_jsonb(NEW) ->> TG_ARGV[0] IS NULL) <> (to_jsonb(OLD) ->> TG_ARGV[0] IS NULL)
      THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
      END IF;
      RETURN NEW;
    END $function$
"""

_DIGEST = """
CREATE OR REPLACE FUNCTION record_events_digest(e record_events)
 RETURNS bytea
 LANGUAGE sql
 IMMUTABLE
AS $function$
      SELECT sha256(e.previous || convert_to(jsonb_build_array(
        e.subject_kind, e.subject_id, e.kind, extract(epoch FROM e.at), e.staff_id, e.detail,
        encode(coalesce({words}, ''::bytea), 'hex'), e.words_id
      )::text, 'UTF8'))
    $function$
"""

_CHAIN = """
CREATE OR REPLACE FUNCTION chain_record_event()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
    BEGIN
      -- One at a time for each subject, whichever transaction holds its row.
      PERFORM pg_advisory_xact_lock(hashtextextended(NEW.subject_id::text, 116115));
      SELECT hash INTO NEW.previous FROM record_events
        WHERE subject_id = NEW.subject_id ORDER BY id DESC LIMIT 1;
      NEW.previous := coalesce(NEW.previous, ''::bytea);
      -- The number is given under the lock, so that the order of ids is the chain's.
      NEW.id := nextval(pg_get_serial_sequence('record_events', 'id'));
      {digest}
      NEW.hash := record_events_digest(NEW);
      RETURN NEW;
    END $function$
"""

_BROKEN = """
SELECT count(*) FROM (
  SELECT hash, record_events_digest(record_events) AS computed, previous,
         lag(hash, 1, ''::bytea) OVER (PARTITION BY subject_id ORDER BY id) AS expected
  FROM record_events
) AS linked WHERE hash <> computed OR previous <> expected
"""

# The chain is written anew once, because it holds the digest of the words from now on.
_LINK_ANEW = """
DO $$
DECLARE
  e record_events; before uuid; last bytea;
BEGIN
  FOR e IN SELECT * FROM record_events ORDER BY subject_id, id LOOP
    IF before IS DISTINCT FROM e.subject_id THEN last := ''::bytea; END IF;
    e.words_digest := sha256(e.words_sealed);
    e.previous := last;
    e.hash := record_events_digest(e);
    UPDATE record_events
      SET words_digest = e.words_digest, previous = e.previous, hash = e.hash WHERE id = e.id;
    before := e.subject_id;
    last := e.hash;
  END LOOP;
END $$
"""

_STATISTICS = {
    "statistics_of_call": """
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
""",
    "statistics_of_contact": """
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
""",
}
_QUIET = """
          -- What is only sealed anew changes no figure.
          IF current_setting('helpline.resealing', true) = 'on' THEN RETURN NULL; END IF;
"""


def _set_function(name: str, body: str) -> None:
    op.execute(
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql "
        f"AS $function$ BEGIN {body} END $function$"
    )


def _make_tables() -> None:
    op.create_table(
        "field_keys",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("check_value", sa.LargeBinary, nullable=False),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.Column("seals_from", INSTANT),
        sa.Column("retired_at", INSTANT),
        sa.PrimaryKeyConstraint("number", name="pk_field_keys"),
    )
    op.create_table(
        "hash_keys",
        sa.Column("generation", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary, nullable=False),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.Column("used_from", INSTANT, nullable=False),
        sa.Column("complete_at", INSTANT),
        sa.PrimaryKeyConstraint("generation", name="pk_hash_keys"),
        sa.UniqueConstraint("id", name="uq_hash_keys_id"),
    )


def upgrade() -> None:
    _make_tables()
    broken = op.get_bind().scalar(sa.text(_BROKEN))
    if broken:
        raise RuntimeError(
            f"{broken} rows of record_events do not fit their chain, which this migration would "
            "hide. Find out who changed them (`helpline audit verify` of the version before)."
        )
    op.add_column("record_events", sa.Column("words_digest", sa.LargeBinary))
    op.execute(_DIGEST.format(words="CASE WHEN e.words_sealed IS NOT NULL THEN e.words_digest END"))
    op.execute("ALTER TABLE record_events DISABLE TRIGGER append_only")
    op.execute(_LINK_ANEW)
    op.execute("ALTER TABLE record_events ENABLE TRIGGER append_only")
    op.execute(_CHAIN.format(digest="NEW.words_digest := sha256(NEW.words_sealed);"))
    op.execute(_REFUSE_BUT_SEALS)
    for table, column in _SEALED.items():
        op.execute(f"DROP TRIGGER append_only ON {table}")
        op.execute(
            f"CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER append_only_but_seals BEFORE UPDATE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION refuse_change_but_seals('{column}')"
        )
    for name, body in _STATISTICS.items():
        _set_function(name, _QUIET + body)
