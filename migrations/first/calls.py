"""Lines and what is heard on them; callers; calls, their legs and events; voice messages."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Text
from sqlalchemy.dialects import postgresql


def leg_pace() -> None:
    op.create_table(
        "leg_pace",
        sa.Column("id", sa.Integer(), server_default="1", nullable=False),
        sa.Column("next_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_leg_pace_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leg_pace")),
    )


def leg_requests() -> None:
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


def lines() -> None:
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


def reconciled() -> None:
    op.create_table(
        "reconciled",
        sa.Column("id", sa.Integer(), server_default="1", nullable=False),
        sa.Column("until_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_reconciled_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciled")),
    )


def caller_flags() -> None:
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


def caller_wishes() -> None:
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


def _columns_of_calls() -> list[sa.schema.SchemaItem]:
    return [
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
    ]


def _first_rules_of_calls() -> list[sa.schema.SchemaItem]:
    return [
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
            "CASE direction WHEN 'inbound' THEN provider_sid IS NOT NULL ELSE provider_sid "
            "IS NULL OR sending = 'sent' END",
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
            "outcome IN ('answered', 'abandoned_in_greeting', 'short_abandon', "
            "'abandoned_in_queue', 'voicemail', 'callback_requested', 'transferred_out', "
            "'no_counsellor_on_duty', 'out_of_hours', 'blocked', 'failed', 'lost', "
            "'unreachable')",
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
    ]


def _further_rules_of_calls() -> list[sa.schema.SchemaItem]:
    return [
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
    ]


def calls() -> None:
    op.create_table(
        "calls", *_columns_of_calls(), *_first_rules_of_calls(), *_further_rules_of_calls()
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


def line_languages() -> None:
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


def line_numbers() -> None:
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


def prompts() -> None:
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


def call_events() -> None:
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


def call_questions() -> None:
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


def legs() -> None:
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
            "status IN ('queued', 'initiated', 'ringing', 'in-progress', 'completed', "
            "'busy', 'failed', 'no-answer', 'canceled')",
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


def voice_messages() -> None:
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
