"""Numbers that add up: facts kept a day at a time, which any change of the record forgets.

A day of facts is only ever a copy of the record. Whoever changes a call, an offer, a contact or a
presence of that day throws the copy away in the same transaction, so no number can be older than
what it counts. Lines for practice count nowhere. Also: addresses for mail, tokens for programs,
files that were asked for, reports that are sent, and public releases, which never change.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# A writer holds the day in common with other writers; whoever makes its copy holds it alone.
_FORGET = """
CREATE FUNCTION forget_statistics(at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE told date := (at AT TIME ZONE 'UTC')::date;
BEGIN
  IF at IS NULL THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock_shared(710007, told - date '2000-01-01');
  DELETE FROM statistic_days WHERE day = told;
END $$
"""
_TRIGGERS = [
    """
    CREATE FUNCTION statistics_of_call() RETURNS trigger LANGUAGE plpgsql AS $$
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
    END $$
    """,
    """
    CREATE FUNCTION statistics_of_part() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM forget_statistics((SELECT opened_at FROM calls
        WHERE id = CASE WHEN TG_OP = 'DELETE' THEN OLD.call_id ELSE NEW.call_id END));
      RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION statistics_of_contact() RETURNS trigger LANGUAGE plpgsql AS $$
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
    END $$
    """,
    # The end of wrap-up belongs to a call that may have arrived the day before.
    """
    CREATE FUNCTION statistics_of_presence() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM forget_statistics(NEW.at);
      IF NEW.before = 'wrap_up' THEN
        PERFORM forget_statistics((SELECT c.opened_at FROM offers o JOIN calls c ON c.id = o.call_id
          WHERE o.counsellor_id = NEW.counsellor_id AND o.connected_at IS NOT NULL
          ORDER BY o.released_at DESC LIMIT 1));
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION statistics_of_line() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.practice <> OLD.practice THEN
        PERFORM pg_advisory_xact_lock(710007, -1);
        DELETE FROM statistic_days;
      END IF;
      RETURN NULL;
    END $$
    """,
    # Who may take which line decides when a line was covered.
    """
    CREATE FUNCTION statistics_of_staff() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.lines <> OLD.lines THEN
        PERFORM pg_advisory_xact_lock(710007, -1);
        DELETE FROM statistic_days;
      END IF;
      RETURN NULL;
    END $$
    """,
    # Whether a call, or the call of a contact, was on a line for practice.
    """
    CREATE FUNCTION is_practice(call uuid, contact uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
      SELECT EXISTS (SELECT FROM calls c JOIN lines l ON l.id = c.line_id
        WHERE l.practice
          AND c.id = coalesce(call, (SELECT call_id FROM contacts WHERE id = contact)))
    $$
    """,
    "CREATE TRIGGER statistics AFTER UPDATE ON staff"
    " FOR EACH ROW EXECUTE FUNCTION statistics_of_staff()",
    "CREATE TRIGGER statistics AFTER INSERT OR UPDATE OR DELETE ON calls"
    " FOR EACH ROW EXECUTE FUNCTION statistics_of_call()",
    "CREATE TRIGGER statistics AFTER INSERT OR UPDATE OR DELETE ON offers"
    " FOR EACH ROW EXECUTE FUNCTION statistics_of_part()",
    "CREATE TRIGGER statistics AFTER INSERT ON call_events FOR EACH ROW"
    " WHEN (NEW.kind IN ('hold', 'resume', 'handed_over')) EXECUTE FUNCTION statistics_of_part()",
    "CREATE TRIGGER statistics AFTER INSERT OR UPDATE OR DELETE ON contacts"
    " FOR EACH ROW EXECUTE FUNCTION statistics_of_contact()",
    "CREATE TRIGGER statistics AFTER INSERT ON presence_changes"
    " FOR EACH ROW EXECUTE FUNCTION statistics_of_presence()",
    "CREATE TRIGGER statistics AFTER UPDATE ON lines"
    " FOR EACH ROW EXECUTE FUNCTION statistics_of_line()",
]


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=nullable)


def _staff(table: str, name: str) -> sa.Column[object]:
    key = sa.ForeignKey("staff.id", name=f"fk_{table}_{name}")
    return sa.Column(name, sa.UUID(), key, nullable=True)


def upgrade() -> None:
    op.add_column(
        "lines", sa.Column("practice", sa.Boolean(), server_default="false", nullable=False)
    )
    op.add_column("staff", sa.Column("email", sa.Text(), nullable=True))
    op.drop_index("ix_calls_caller_key", "calls")
    op.create_index("ix_calls_caller_key", "calls", ["caller_key", "opened_at"])
    op.create_index(
        "ix_call_events_held",
        "call_events",
        ["call_id"],
        postgresql_where=sa.text("kind IN ('hold', 'handed_over')"),
    )
    op.create_index("ix_presence_changes_of", "presence_changes", ["counsellor_id", "at"])
    op.create_index("ix_presence_changes_at", "presence_changes", ["at"])
    op.create_index("ix_approaches_offered_at", "approaches", ["offered_at"])
    op.create_index("ix_contacts_taken_at", "contacts", ["taken_at"])
    op.create_index(
        "ix_offers_talks",
        "offers",
        ["counsellor_id", "released_at"],
        postgresql_where=sa.text("connected_at IS NOT NULL"),
    )
    op.create_index("ix_offers_opened_at", "offers", ["opened_at"])
    op.create_table(
        "statistic_days",
        sa.Column("day", sa.Date(), nullable=False),
        _instant("made_at"),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_statistic_days"),
    )
    op.create_table(
        "statistic_columns",
        sa.Column(
            "day",
            sa.Date(),
            sa.ForeignKey(
                "statistic_days.day", ondelete="CASCADE", name="fk_statistic_columns_day"
            ),
            nullable=False,
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("words", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("offsets", postgresql.BYTEA(), nullable=True),
        sa.Column("data", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("day", "name", name="pk_statistic_columns"),
    )
    # Read whole, and often: not worth packing.
    op.execute("ALTER TABLE statistic_columns ALTER data SET STORAGE EXTERNAL")
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_key", postgresql.BYTEA(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        _instant("created_at"),
        _instant("expires_at"),
        _instant("revoked_at", nullable=True),
        _instant("used_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("name", name="uq_api_tokens_name"),
        sa.UniqueConstraint("token_key", name="uq_api_tokens_token_key"),
    )
    op.create_table(
        "exports",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("begins", sa.Text(), nullable=False),
        sa.Column("ends", sa.Text(), nullable=False),
        sa.Column("options", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.Text(), server_default="asked", nullable=False),
        sa.Column("personal", sa.Boolean(), nullable=False),
        _staff("exports", "asked_by"),
        _instant("asked_at"),
        sa.Column("reason_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column(
            "token_id",
            sa.UUID(),
            sa.ForeignKey("api_tokens.id", name="fk_exports_token_id"),
            nullable=True,
        ),
        _staff("exports", "decided_by"),
        _instant("decided_at", nullable=True),
        _instant("as_of", nullable=True),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("of", sa.Integer(), server_default="0", nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("digest", postgresql.BYTEA(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        _instant("expires_at", nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_exports"),
        sa.CheckConstraint(
            "state IN ('asked', 'approved', 'refused', 'making', 'ready', 'failed', 'expired')",
            name=op.f("ck_exports_state"),
        ),
        sa.CheckConstraint(
            "NOT personal OR state IN ('asked', 'refused') OR decided_by IS NOT NULL",
            name=op.f("ck_exports_approved"),
        ),
        sa.CheckConstraint("decided_by <> asked_by", name=op.f("ck_exports_second_person")),
        sa.CheckConstraint(
            "NOT personal OR reason_sealed IS NOT NULL", name=op.f("ck_exports_reason")
        ),
    )
    op.create_index("ix_exports_asked_at", "exports", ["asked_at"])
    op.create_table(
        "export_parts",
        sa.Column(
            "export_id",
            sa.UUID(),
            sa.ForeignKey("exports.id", ondelete="CASCADE", name="fk_export_parts_export_id"),
            nullable=False,
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("begins_at", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("data_sealed", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("export_id", "number", name="pk_export_parts"),
    )
    op.create_table(
        "report_schedules",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("every", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        _staff("report_schedules", "created_by"),
        _instant("created_at"),
        sa.Column("next_on", sa.Date(), nullable=False),
        _instant("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_report_schedules"),
        sa.CheckConstraint(
            "every IN ('day', 'week', 'month', 'quarter', 'year')",
            name=op.f("ck_report_schedules_every"),
        ),
    )
    op.create_table(
        "public_releases",
        sa.Column("period", sa.Text(), nullable=False),
        _instant("made_at"),
        _staff("public_releases", "made_by"),
        sa.Column("begins_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("tables", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("period", name="pk_public_releases"),
        postgresql.ExcludeConstraint(
            (sa.text("daterange(begins_on, ends_on)"), "&&"), name="ex_public_releases_period"
        ),
    )
    op.execute(_FORGET)
    for statement in _TRIGGERS:
        op.execute(statement)
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON public_releases"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    for table in (
        "calls",
        "offers",
        "call_events",
        "contacts",
        "presence_changes",
        "lines",
        "staff",
    ):
        op.execute(f"DROP TRIGGER statistics ON {table}")
    op.execute("DROP FUNCTION is_practice(uuid, uuid)")
    for function in ("call", "part", "contact", "presence", "line", "staff"):
        op.execute(f"DROP FUNCTION statistics_of_{function}()")
    op.execute("DROP FUNCTION forget_statistics(timestamptz)")
    for table in (
        "public_releases",
        "report_schedules",
        "export_parts",
        "exports",
        "api_tokens",
        "statistic_columns",
        "statistic_days",
    ):
        op.drop_table(table)
    for table, index in (
        ("offers", "ix_offers_opened_at"),
        ("offers", "ix_offers_talks"),
        ("contacts", "ix_contacts_taken_at"),
        ("presence_changes", "ix_presence_changes_at"),
        ("presence_changes", "ix_presence_changes_of"),
        ("approaches", "ix_approaches_offered_at"),
        ("call_events", "ix_call_events_held"),
        ("calls", "ix_calls_caller_key"),
    ):
        op.drop_index(index, table)
    op.create_index("ix_calls_caller_key", "calls", ["caller_key"])
    op.drop_column("staff", "email")
    op.drop_column("lines", "practice")
