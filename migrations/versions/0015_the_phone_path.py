"""The phone path under real conditions: what outages, lost callbacks and dead lines need."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
OUTCOMES = (
    "answered", "abandoned_in_greeting", "short_abandon", "abandoned_in_queue", "voicemail",
    "callback_requested", "transferred_out", "no_counsellor_on_duty", "out_of_hours", "blocked",
    "failed", "lost",
)  # fmt: skip
KINDS = ("e164", "client", "sip", "withheld", "other")


def _allow(table: str, column: str, words: tuple[str, ...]) -> None:
    name = f"ck_{table}_{column}"
    op.drop_constraint(op.f(name), table, type_="check")
    listed = ", ".join(f"'{word}'" for word in words)
    op.create_check_constraint(op.f(name), table, f"{column} IN ({listed})")


def upgrade() -> None:
    _allow("calls", "outcome", (*OUTCOMES, "unreachable"))
    _allow("calls", "caller_kind", ("e164", "client", "sip", "written", "withheld", "other"))
    op.add_column("calls", sa.Column("kept_room_id", sa.Uuid()))
    op.add_column("offers", sa.Column("lost_at", INSTANT))
    op.add_column("offers", sa.Column("carried_at", INSTANT))
    op.add_column("lines", sa.Column("shown_number", sa.Text()))
    op.create_table(
        "line_numbers",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_line_numbers"),
        sa.ForeignKeyConstraint(
            ["line_id"], ["lines.id"], name="fk_line_numbers_line_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_line_numbers_line_id", "line_numbers", ["line_id"])
    op.create_table(
        "reconciled",
        sa.Column("id", sa.Integer(), server_default="1", autoincrement=False, nullable=False),
        sa.Column("until_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reconciled"),
        sa.CheckConstraint("id = 1", name="ck_reconciled_one_row"),
    )

    op.create_table(
        "leg_pace",
        sa.Column("id", sa.Integer(), server_default="1", autoincrement=False, nullable=False),
        sa.Column("next_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_leg_pace"),
        sa.CheckConstraint("id = 1", name="ck_leg_pace_one_row"),
    )
    op.create_table(
        "leg_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("urgency", sa.Integer(), nullable=False),
        sa.Column("wanted_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_leg_requests"),
    )
    op.create_index("ix_leg_requests_urgency", "leg_requests", ["urgency", "wanted_at"])
    # Words are shipped as files by now; the rows are what a helpline says instead.
    op.execute("DELETE FROM prompts WHERE line_id IS NULL")


def downgrade() -> None:
    op.drop_table("leg_requests")
    op.drop_table("leg_pace")
    op.drop_table("reconciled")
    op.drop_table("line_numbers")
    op.drop_column("lines", "shown_number")
    op.drop_column("offers", "carried_at")
    op.drop_column("offers", "lost_at")
    op.drop_column("calls", "kept_room_id")
    op.execute("UPDATE calls SET caller_kind = 'other' WHERE caller_kind = 'written'")
    _allow("calls", "caller_kind", KINDS)
    op.execute("UPDATE calls SET outcome = 'failed' WHERE outcome = 'unreachable'")
    _allow("calls", "outcome", OUTCOMES)
