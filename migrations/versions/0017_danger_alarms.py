"""Alarms about danger that is on record without any action."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
KINDS = (
    "nobody_signed_in",
    "everybody_away",
    "last_one_misses",
    "long_wait",
    "draft_not_sent",
    "override_not_seen",
    "danger_not_referred",
    "risk_rose",
    "details_not_opened",
)


NOTICES = (
    "breach",
    "override",
    "call_back",
    "question",
    "rejected",
    "nobody_left",
    "wrong_service",
    "wrong_number",
    "urgency_lowered",
    "completed",
    "undelivered",
    "ring_them",
    "unmapped",
    "danger_unanswered",
    "escalated",
)


# Relatives are family, a foster family is not: they were one outcome before.
OUTCOMES = (
    "child_safe_at_home_with_plan",
    "placed_shelter",
    "with_kin",
    "placed_foster",
    "placed_residential",
    "police_action",
    "medical_care",
    "family_supported",
    "declined_by_family",
    "unable_to_locate",
    "referred_on",
    "other",
)


def upgrade() -> None:
    op.drop_constraint(op.f("ck_referrals_outcome"), "referrals", type_="check")
    op.execute("UPDATE referrals SET outcome = 'other' WHERE outcome = 'placed_kin_or_foster'")
    listed = ", ".join(f"'{outcome}'" for outcome in OUTCOMES)
    op.create_check_constraint(op.f("ck_referrals_outcome"), "referrals", f"outcome IN ({listed})")
    op.drop_constraint(op.f("ck_notices_kind"), "notices", type_="check")
    listed = ", ".join(f"'{kind}'" for kind in NOTICES)
    op.create_check_constraint(op.f("ck_notices_kind"), "notices", f"kind IN ({listed})")
    # Alarms live for minutes: the tables are made anew, with room for what danger needs.
    op.drop_table("alarm_attempts")
    op.drop_table("staffing_alarms")
    op.create_table(
        "alarms",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid()),
        sa.Column("language", sa.Text()),
        sa.Column("subject_id", sa.Uuid()),
        sa.Column("owner_id", sa.Uuid()),
        sa.Column("owner_asked_at", INSTANT),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("acknowledged_at", INSTANT),
        sa.Column("acknowledged_by", sa.Text()),
        sa.Column("decided_at", INSTANT),
        sa.Column("decided_by", sa.Uuid()),
        sa.Column("words_sealed", sa.LargeBinary()),
        sa.Column("next_at", INSTANT),
        sa.Column("turn", sa.Integer(), server_default="0", nullable=False),
        sa.Column("round", sa.Integer(), server_default="0", nullable=False),
        sa.Column("step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("phone", sa.Integer(), server_default="-1", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alarms"),
        sa.ForeignKeyConstraint(
            ["line_id"], ["lines.id"], name="fk_alarms_line_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name="fk_alarms_owner_id"),
        sa.ForeignKeyConstraint(["decided_by"], ["staff.id"], name="fk_alarms_decided_by"),
        sa.CheckConstraint(
            "kind IN (" + ", ".join(f"'{k}'" for k in KINDS) + ")", name="ck_alarms_kind"
        ),
        sa.CheckConstraint("(line_id IS NULL) <> (subject_id IS NULL)", name="ck_alarms_about"),
    )
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
    op.create_index("ix_alarms_subject_id", "alarms", ["subject_id"])
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
            ["alarms.id"],
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
    op.add_column("contacts", sa.Column("danger_at", INSTANT))
    op.create_index(
        "ix_contacts_danger_at",
        "contacts",
        ["danger_at"],
        postgresql_where=sa.text("danger_at IS NOT NULL"),
    )
    op.add_column("referrals", sa.Column("urgency_at", INSTANT))
    op.add_column(
        "consents",
        sa.Column("despite", sa.ARRAY(sa.Text()), server_default="{}", nullable=False),
    )
    op.add_column("cases", sa.Column("risk", sa.Text()))
    op.add_column("cases", sa.Column("risk_rose_at", INSTANT))
    op.create_check_constraint(op.f("ck_cases_risk"), "cases", "risk IN ('low', 'medium', 'high')")
    op.create_index(
        "ix_cases_risk_rose_at",
        "cases",
        ["risk_rose_at"],
        postgresql_where=sa.text("risk_rose_at IS NOT NULL AND closed_at IS NULL"),
    )
