"""The phone path under real conditions: what outages, lost callbacks and dead lines need."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
OUTCOMES = (
    "answered",
    "abandoned_in_greeting",
    "short_abandon",
    "abandoned_in_queue",
    "voicemail",
    "callback_requested",
    "transferred_out",
    "no_counsellor_on_duty",
    "out_of_hours",
    "blocked",
    "failed",
    "lost",
)
CALLBACK_STATES = ("agreed", "trying", "reached", "given_up", "cancelled")
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
    _allow("callbacks", "state", (*CALLBACK_STATES[:2], "spoken", *CALLBACK_STATES[2:]))
    op.add_column(
        "callbacks", sa.Column("slot", sa.Text(), server_default="chosen", nullable=False)
    )
    op.create_check_constraint(op.f("ck_callbacks_slot"), "callbacks", "slot IN ('soon', 'chosen')")
    op.add_column(
        "callbacks", sa.Column("passes", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column(
        "callbacks",
        sa.Column("talked_by", sa.Uuid(), sa.ForeignKey("staff.id", name="fk_callbacks_talked_by")),
    )
    op.add_column(
        "callbacks", sa.Column("machine", sa.Boolean(), server_default="false", nullable=False)
    )
    op.create_table(
        "call_questions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="asked", nullable=False),
        sa.Column("answer", sa.Text()),
        sa.Column("asked_by", sa.Uuid()),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("answered_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_call_questions"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_call_questions_call_id"),
        sa.ForeignKeyConstraint(["asked_by"], ["staff.id"], name="fk_call_questions_asked_by"),
        sa.CheckConstraint(
            "state IN ('asked', 'answered', 'unanswered')", name="ck_call_questions_state"
        ),
    )
    op.create_index("ix_call_questions_call_id", "call_questions", ["call_id", "asked_at"])
    op.create_index(
        "uq_call_questions_asked",
        "call_questions",
        ["call_id"],
        unique=True,
        postgresql_where=sa.text("state = 'asked'"),
    )
    op.add_column("presences", sa.Column("warned_at", INSTANT))
    op.create_table(
        "staffing_alarms",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("acknowledged_at", INSTANT),
        sa.Column("acknowledged_by", sa.Text()),
        sa.Column("next_at", INSTANT),
        sa.Column("turn", sa.Integer(), server_default="0", nullable=False),
        sa.Column("round", sa.Integer(), server_default="0", nullable=False),
        sa.Column("step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("phone", sa.Integer(), server_default="-1", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_staffing_alarms"),
        sa.ForeignKeyConstraint(
            ["line_id"], ["lines.id"], name="fk_staffing_alarms_line_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint(
            "kind IN ('nobody_signed_in', 'everybody_away', 'last_one_misses', 'long_wait')",
            name="ck_staffing_alarms_kind",
        ),
    )
    op.create_index(
        "uq_staffing_alarms_open",
        "staffing_alarms",
        ["line_id", "language"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
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
        sa.Column("wanted_at", INSTANT, nullable=False),
        sa.Column("sent_at", INSTANT),
        sa.Column("ended_at", INSTANT),
        sa.Column("result", sa.Text()),
        sa.Column("provider_sid", sa.Text()),
        sa.Column("asks", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alarm_attempts"),
        sa.ForeignKeyConstraint(
            ["alarm_id"],
            ["staffing_alarms.id"],
            name="fk_alarm_attempts_alarm_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("provider_sid", name="uq_alarm_attempts_provider_sid"),
        sa.CheckConstraint("kind IN ('phone', 'sms', 'email')", name="ck_alarm_attempts_kind"),
        sa.CheckConstraint(
            "sending IN ('wanted', 'sending', 'sent', 'failed')", name="ck_alarm_attempts_sending"
        ),
    )
    op.create_index("ix_alarm_attempts_alarm_id", "alarm_attempts", ["alarm_id", "number"])
    # Words are shipped as files by now; the rows are what a helpline says instead.
    op.execute("DELETE FROM prompts WHERE line_id IS NULL")


def downgrade() -> None:
    op.drop_table("alarm_attempts")
    op.drop_table("staffing_alarms")
    op.drop_column("presences", "warned_at")
    op.drop_table("call_questions")
    for column in ("machine", "talked_by", "passes", "slot"):
        op.drop_column("callbacks", column)
    op.execute("UPDATE callbacks SET state = 'given_up' WHERE state = 'spoken'")
    _allow("callbacks", "state", CALLBACK_STATES)
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
