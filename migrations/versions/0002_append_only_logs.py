"""The logs can only grow, and each row is chained to the one before: what happened stays said.

The hash of a row is SHA-256 over the hash before it and the row's own content. The
events of one call form one chain (the call's row is locked while one is added, and
counts them, so that a missing tail shows too); the audit log is one chain.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATEMENTS = [
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE FUNCTION call_events_digest(e call_events) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
      SELECT sha256(e.previous || convert_to(jsonb_build_array(
        e.call_id, e.kind, e.source, extract(epoch FROM e.at), e.delivery_key, e.detail, e.answer
      )::text, 'UTF8'))
    $$
    """,
    """
    CREATE FUNCTION audit_entries_digest(e audit_entries) RETURNS bytea
    LANGUAGE sql IMMUTABLE AS $$
      SELECT sha256(e.previous || convert_to(jsonb_build_array(
        extract(epoch FROM e.at), e.actor, e.action, e.subject, e.detail
      )::text, 'UTF8'))
    $$
    """,
    """
    CREATE FUNCTION chain_call_event() RETURNS trigger LANGUAGE plpgsql AS $$
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
    END $$
    """,
    """
    CREATE FUNCTION chain_audit_entry() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock(116112);
      SELECT hash INTO NEW.previous FROM audit_entries ORDER BY id DESC LIMIT 1;
      NEW.previous := coalesce(NEW.previous, ''::bytea);
      -- The number is given under the lock, so that the order of ids is the chain's.
      NEW.id := nextval(pg_get_serial_sequence('audit_entries', 'id'));
      NEW.hash := audit_entries_digest(NEW);
      RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER chain BEFORE INSERT ON call_events "
    "FOR EACH ROW EXECUTE FUNCTION chain_call_event()",
    "CREATE TRIGGER chain BEFORE INSERT ON audit_entries "
    "FOR EACH ROW EXECUTE FUNCTION chain_audit_entry()",
    *(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "EXECUTE FUNCTION refuse_change()"
        for table in ("call_events", "audit_entries", "presence_changes")
    ),
]


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in ("call_events", "audit_entries", "presence_changes"):
        op.execute(f"DROP TRIGGER append_only ON {table}")
    for table in ("call_events", "audit_entries"):
        op.execute(f"DROP TRIGGER chain ON {table}")
        op.execute(f"DROP FUNCTION {table}_digest")
    op.execute("DROP FUNCTION chain_call_event")
    op.execute("DROP FUNCTION chain_audit_entry")
    op.execute("DROP FUNCTION refuse_change")
