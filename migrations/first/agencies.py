"""The directory of agencies, and what was sent to them and received."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Text
from sqlalchemy.dialects import postgresql


def agencies() -> None:
    op.create_table(
        "agencies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sector", sa.Text(), nullable=False),
        sa.Column("services", postgresql.ARRAY(Text()), nullable=False),
        sa.Column("areas", postgresql.ARRAY(Text()), nullable=False),
        sa.Column("age_from", sa.Integer(), nullable=True),
        sa.Column("age_to", sa.Integer(), nullable=True),
        sa.Column("hours", sa.Text(), server_default="", nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("languages", postgresql.ARRAY(Text()), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("sms", sa.Text(), nullable=True),
        sa.Column("deputy", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("verified_on", sa.Date(), nullable=True),
        sa.Column("verified_by", sa.Text(), server_default="", nullable=False),
        sa.Column("doubted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("webhook_url", sa.Text(), nullable=True),
        sa.Column("webhook_secret_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("primero", postgresql.JSONB(astext_type=Text()), nullable=True),
        sa.Column("primero_password_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("changed_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "sector IN ('social_welfare', 'police', 'health', 'mental_health', 'education', "
            "'justice', 'shelter', 'mobile_outreach', 'legal_aid', 'family_support', "
            "'missing_children', 'helpline_abroad', 'own_house')",
            name=op.f("ck_agencies_sector"),
        ),
        sa.CheckConstraint(
            "age_from IS NULL OR age_to IS NULL OR age_from <= age_to",
            name=op.f("ck_agencies_ages"),
        ),
        sa.CheckConstraint(
            "valid_from IS NULL OR valid_until IS NULL OR valid_from < valid_until",
            name=op.f("ck_agencies_valid"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agencies")),
        sa.UniqueConstraint("code", name=op.f("uq_agencies_code")),
    )
    op.create_index(
        "ix_agencies_services", "agencies", ["services"], unique=False, postgresql_using="gin"
    )


def duty_phones() -> None:
    op.create_table(
        "duty_phones",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("hours", sa.Text(), server_default="", nullable=False),
        sa.Column("doubted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("gone_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_duty_phones_agency_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_phones")),
        sa.UniqueConstraint(
            "agency_id", "position", name=op.f("uq_duty_phones_agency_id_position")
        ),
    )


def mandates() -> None:
    op.create_table(
        "mandates",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["agency_id"], ["agencies.id"], name=op.f("fk_mandates_agency_id")),
        sa.PrimaryKeyConstraint("service", "place", name=op.f("pk_mandates")),
    )
    op.create_index(op.f("ix_mandates_agency_id"), "mandates", ["agency_id"], unique=False)


def deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_try_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_answer", sa.Text(), server_default="", nullable=False),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'delivered', 'dead')", name=op.f("ck_deliveries_state")
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_deliveries_agency_id")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_deliveries_referral_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "agency_id",
            "referral_id",
            "sequence",
            name=op.f("uq_deliveries_agency_id_referral_id_sequence"),
        ),
    )
    op.create_index("ix_deliveries_state", "deliveries", ["state", "created_at"], unique=False)


def received_events() -> None:
    op.create_table(
        "received_events",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_received_events_agency_id")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_received_events_referral_id")
        ),
        sa.PrimaryKeyConstraint("agency_id", "event_id", name=op.f("pk_received_events")),
    )


def _columns_of_attempts() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=True),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), server_default="0", nullable=False),
        sa.Column("purpose", sa.Text(), server_default="escalation", nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Integer(), server_default="30", nullable=False),
        sa.Column("children", sa.Integer(), server_default="1", nullable=False),
        sa.Column("sending", sa.Text(), server_default="wanted", nullable=False),
        sa.Column("wanted_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("sent_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("answered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("provider_sid", sa.Text(), nullable=True),
        sa.Column("asks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
    ]


def _rules_of_attempts() -> list[sa.schema.SchemaItem]:
    return [
        sa.CheckConstraint("kind IN ('phone', 'sms', 'email')", name=op.f("ck_attempts_kind")),
        sa.CheckConstraint(
            "purpose IN ('escalation', 'code', 'link', 'withdrawn', 'recalled', 'answer', "
            "'update')",
            name=op.f("ck_attempts_purpose"),
        ),
        sa.CheckConstraint(
            "result IN ('acknowledged', 'wants_to_be_called_back', 'wrong_number', "
            "'no_answer', 'busy', 'machine', 'no_key_pressed', 'not_confirmed', "
            "'unreachable', 'delivered', 'failed', 'not_needed_any_more')",
            name=op.f("ck_attempts_result"),
        ),
        sa.CheckConstraint(
            "sending IN ('wanted', 'sending', 'sent', 'failed')", name=op.f("ck_attempts_sending")
        ),
        sa.ForeignKeyConstraint(["agency_id"], ["agencies.id"], name=op.f("fk_attempts_agency_id")),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["recipients.id"], name=op.f("fk_attempts_recipient_id")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_attempts_referral_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("provider_sid", name=op.f("uq_attempts_provider_sid")),
        sa.UniqueConstraint("referral_id", "number", name=op.f("uq_attempts_referral_id_number")),
    ]


def attempts() -> None:
    op.create_table("attempts", *_columns_of_attempts(), *_rules_of_attempts())
    op.create_index(
        "ix_attempts_open",
        "attempts",
        ["wanted_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_attempts_target", "attempts", ["referral_id", "target"], unique=False)


def agency_cases() -> None:
    op.create_table(
        "agency_cases",
        sa.Column("recipient_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("their_referral", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="wanted", nullable=False),
        sa.Column("their_status", sa.Text(), nullable=True),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("left_out", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("asked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('wanted', 'case_made', 'referred', 'refused', 'ended')",
            name=op.f("ck_agency_cases_state"),
        ),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["recipients.id"], name=op.f("fk_agency_cases_recipient_id")
        ),
        sa.PrimaryKeyConstraint("recipient_id", name=op.f("pk_agency_cases")),
        sa.UniqueConstraint("case_id", name=op.f("uq_agency_cases_case_id")),
    )


def links() -> None:
    op.create_table(
        "links",
        sa.Column("token_key", postgresql.BYTEA(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=True),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("used_for", sa.Text(), nullable=True),
        sa.Column("code_of", sa.Uuid(), nullable=False),
        sa.Column("code_key", postgresql.BYTEA(), nullable=True),
        sa.Column("code_channel", sa.Text(), nullable=True),
        sa.Column("code_tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("proven_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("proof_key", postgresql.BYTEA(), nullable=True),
        sa.ForeignKeyConstraint(["agency_id"], ["agencies.id"], name=op.f("fk_links_agency_id")),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["recipients.id"], name=op.f("fk_links_recipient_id")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_links_referral_id")
        ),
        sa.PrimaryKeyConstraint("token_key", name=op.f("pk_links")),
        sa.UniqueConstraint("id", name=op.f("uq_links_id")),
    )
    op.create_index("ix_links_recipient_id", "links", ["recipient_id"], unique=False)
