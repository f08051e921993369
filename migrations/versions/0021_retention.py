"""How long each kind of data is kept, what is held, and what was erased when."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
_KINDS = (
    "kind IN ('caller_numbers', 'voice_messages', 'contacts', 'cases', 'referrals', 'export_files')"
)
_ERASED = ("contacts", "cases", "referrals", "voice_messages")

# Tables whose rows never change, with the column of sealed values, and that of plain answers.
_CONTENT = {"completed_versions": ("sealed", "answers"), "earlier_answers": ("sealed", "answer")}

# Of a record whose content is erased, a row keeps everything but what was sealed, and of plain
# answers a part. What is sealed of nothing has 30 bytes.
_REFUSE = r"""
CREATE OR REPLACE FUNCTION refuse_change_but_seals()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
    DECLARE
      was jsonb := to_jsonb(OLD) - TG_ARGV[0];
      now jsonb := to_jsonb(NEW) - TG_ARGV[0];
      sealed text := to_jsonb(NEW) ->> TG_ARGV[0];
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
      THEN
        RETURN NEW;
      END IF;
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $function$
"""

# The chain holds the digest of the words, so that it still fits when they are erased. A row
# without words has no digest, so nothing is linked anew.
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
_WORDS, _WORDS_BEFORE = (
    "e.words_digest",
    "CASE WHEN e.words_sealed IS NOT NULL THEN e.words_digest END",
)

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
          -- What is only sealed anew, or erased, changes no figure.
          IF current_setting('helpline.resealing', true) = 'on' {erasing} THEN
            RETURN NULL;
          END IF;
"""
_OR_ERASING = "OR current_setting('helpline.erasing', true) = 'on'"


def _set_statistics() -> None:
    for name, body in _STATISTICS.items():
        op.execute(
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql "
            f"AS $function$ BEGIN {_QUIET.format(erasing=_OR_ERASING)} {body} END $function$"
        )


def _set_triggers() -> None:
    for table, columns in _CONTENT.items():
        named = ", ".join(f"'{column}'" for column in columns)
        op.execute(f"DROP TRIGGER append_only_but_seals ON {table}")
        op.execute(
            f"CREATE TRIGGER append_only_but_seals BEFORE UPDATE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION refuse_change_but_seals({named})"
        )


def _rules_and_holds() -> None:
    op.create_table(
        "retention_rules",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("days", sa.Integer),
        sa.Column("revision", sa.Integer, server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("kind", name="pk_retention_rules"),
        sa.CheckConstraint(_KINDS, name="ck_retention_rules_kind"),
        sa.CheckConstraint("days >= 1", name="ck_retention_rules_days"),
    )
    op.create_table(
        "legal_holds",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("subject_kind", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Uuid, nullable=False),
        sa.Column("reason_sealed", sa.LargeBinary, nullable=False),
        sa.Column("held_at", INSTANT, nullable=False),
        sa.Column("held_by", sa.Uuid),
        sa.Column("lifted_at", INSTANT),
        sa.Column("lifted_by", sa.Uuid),
        sa.PrimaryKeyConstraint("id", name="pk_legal_holds"),
        sa.ForeignKeyConstraint(["held_by"], ["staff.id"], name="fk_legal_holds_held_by"),
        sa.ForeignKeyConstraint(["lifted_by"], ["staff.id"], name="fk_legal_holds_lifted_by"),
        sa.CheckConstraint(
            "subject_kind IN ('contact', 'case', 'referral')", name="ck_legal_holds_subject_kind"
        ),
    )
    op.create_index(
        "uq_legal_holds_subject_id",
        "legal_holds",
        ["subject_id"],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
    )


def _nights() -> None:
    op.create_table(
        "erasures",
        sa.Column("run_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("days", sa.Integer, nullable=False),
        sa.Column("logged_at", INSTANT),
        sa.PrimaryKeyConstraint("run_id", "kind", name="pk_erasures"),
        sa.CheckConstraint(_KINDS, name="ck_erasures_kind"),
    )
    op.create_index("ix_erasures_at", "erasures", ["at"])
    op.create_table(
        "erasure_nights",
        sa.Column("night", sa.Date, nullable=False),
        sa.Column("run_id", sa.Uuid, nullable=False),
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("night", name="pk_erasure_nights"),
    )


def upgrade() -> None:
    for table in _ERASED:
        op.add_column(table, sa.Column("erased_at", INSTANT))
    _rules_and_holds()
    _nights()
    for table, column in (("contacts", "completed_at"), ("cases", "closed_at")):
        op.create_index(
            f"ix_{table}_not_erased",
            table,
            [column],
            postgresql_where=sa.text("erased_at IS NULL"),
        )
    op.execute(_REFUSE)
    op.execute(_DIGEST.format(words=_WORDS))
    _set_triggers()
    _set_statistics()
