"""Columns say attempts, sends and responses; a call for help has the same name everywhere.

Jobs that wait get the new name of their argument.
"""

from alembic import op

revision = "0104"
down_revision = "0103"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("attempts", "tries", "sends"),
    ("callbacks", "tries", "attempts"),
    ("deliveries", "tries", "attempts"),
    ("deliveries", "last_answer", "last_response"),
    ("links", "code_tries", "code_attempts"),
    ("provider_copies", "tries", "attempts"),
    ("received_events", "answer", "response"),
)
STATEMENTS = (
    "ALTER TABLE participants DROP CONSTRAINT IF EXISTS ck_participants_purpose",
    "UPDATE participants SET purpose = 'call_for_help' WHERE purpose = 'panic'",
    "ALTER TABLE participants ADD CONSTRAINT ck_participants_purpose CHECK"
    " (purpose IN ('consult', 'transfer', 'third_party', 'supervise', 'call_for_help'))",
    "UPDATE procrastinate_jobs SET args = args - 'tries'"
    " || jsonb_build_object('attempts', args -> 'tries')"
    " WHERE args ? 'tries' AND status IN ('todo', 'doing')",
)


def upgrade() -> None:
    for table, former, present in _COLUMNS:
        # From PostgreSQL 18 on, NOT NULL is a constraint with the name of the column.
        op.alter_column(table, former, nullable=True)
        op.alter_column(table, former, new_column_name=present)
        op.alter_column(table, present, nullable=False)
    op.alter_column("deliveries", "last_try_at", new_column_name="last_attempt_at")
    for statement in STATEMENTS:
        op.execute(statement)
