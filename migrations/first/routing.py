"""Who takes calls now: presences, offers, participants, call-backs and alarms."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql


def alarms() -> None:
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
            "kind IN ('no_counsellor_signed_in', 'all_away', 'last_one_misses', 'long_wait', "
            "'draft_not_sent', 'override_not_seen', 'danger_not_referred', 'risk_rose', "
            "'details_not_opened', 'withdrawal_undecided')",
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


def presence_changes() -> None:
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


def presences() -> None:
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


def alarm_attempts() -> None:
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


def callbacks() -> None:
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


def _columns_of_offers() -> list[sa.schema.SchemaItem]:
    return [
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
    ]


def _rules_of_offers() -> list[sa.schema.SchemaItem]:
    return [
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
    ]


def offers() -> None:
    op.create_table("offers", *_columns_of_offers(), *_rules_of_offers())
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


def participants() -> None:
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
            "role IS NULL OR role IN ('police', 'mobile_outreach', 'interpreter', "
            "'social_welfare', 'medical', 'other')",
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
