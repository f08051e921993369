"""Referrals: recipients, deadlines, consent and what was disclosed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Text
from sqlalchemy.dialects import postgresql


def _first_columns_of_referrals() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("call_id", sa.Uuid(), nullable=True),
        sa.Column("opened_together", sa.Uuid(), nullable=False),
        sa.Column("opened_by", sa.Uuid(), nullable=True),
        sa.Column("opened_how", sa.Text(), nullable=False),
        sa.Column("urgency", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("protocol_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default="draft", nullable=False),
        sa.Column("child_entry", sa.Text(), nullable=True),
        sa.Column("to_confirm", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("child_age", sa.Integer(), nullable=True),
        sa.Column("family_first", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("separation_risk", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=True),
        sa.Column("agency_id", sa.Uuid(), nullable=True),
        sa.Column("escalation_round", sa.Integer(), server_default="0", nullable=False),
        sa.Column("escalation_step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("escalation_phone", sa.Integer(), server_default="-1", nullable=False),
        sa.Column("escalates_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("turn", sa.Integer(), server_default="0", nullable=False),
        sa.Column("warm", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("urgency_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("withdrawal_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("recall_wanted_by", sa.Uuid(), nullable=True),
        sa.Column("sent_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("acknowledged_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("house_has_it", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("accepted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("written_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("completed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("update_due_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("announced_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("wants_feedback", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("feedback_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("form_version", sa.Integer(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=False),
        sa.Column("categories_version", sa.Integer(), nullable=False),
        sa.Column("places", sa.Text(), nullable=False),
        sa.Column("places_version", sa.Integer(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("opened_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
    ]


def _further_columns_of_referrals() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column(
            "answers", postgresql.JSONB(astext_type=Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "sealed", postgresql.JSONB(astext_type=Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "versions", postgresql.JSONB(astext_type=Text()), server_default="{}", nullable=False
        ),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("edited_by", sa.Uuid(), nullable=True),
        sa.Column("edited_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("edited_from", sa.Integer(), server_default="0", nullable=False),
        sa.Column("headline", sa.Text(), nullable=True),
        sa.Column("headline_words", sa.Text(), server_default="", nullable=False),
        sa.Column("category_codes", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("place_path", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
    ]


def _rules_of_referrals() -> list[sa.schema.SchemaItem]:
    return [
        sa.CheckConstraint(
            "opened_how IN ('urgent_button', 'danger_key', 'contact', 'by_hand', 'case')",
            name=op.f("ck_referrals_opened_how"),
        ),
        sa.CheckConstraint(
            "outcome IN ('child_safe_at_home_with_plan', 'placed_shelter', 'with_kin', "
            "'placed_foster', 'placed_residential', 'police_action', 'medical_care', "
            "'family_supported', 'declined_by_family', 'unable_to_locate', 'referred_on', "
            "'other')",
            name=op.f("ck_referrals_outcome"),
        ),
        sa.CheckConstraint(
            "service IN ('child_protection', 'police', 'emergency_medical', 'health', "
            "'mental_health', 'education', 'justice', 'shelter', 'mobile_outreach', "
            "'legal_aid', 'family_support', 'disability_support', 'missing_child', "
            "'helpline_abroad', 'supervisor_on_call', 'director_on_call')",
            name=op.f("ck_referrals_service"),
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'sent', 'delivered', 'acknowledged', 'accepted', "
            "'in_progress', 'completed', 'closed', 'failed', 'rejected', 'redirected', "
            "'recalled', 'expired', 'consent_withdrawn')",
            name=op.f("ck_referrals_state"),
        ),
        sa.CheckConstraint(
            "urgency IN ('immediate', 'urgent', 'priority', 'routine')",
            name=op.f("ck_referrals_urgency"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_referrals_agency_id")
        ),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_referrals_call_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_referrals_case_id")),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_referrals_contact_id")
        ),
        sa.ForeignKeyConstraint(["opened_by"], ["staff.id"], name=op.f("fk_referrals_opened_by")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_referrals_owner_id")),
        sa.ForeignKeyConstraint(
            ["recall_wanted_by"], ["staff.id"], name=op.f("fk_referrals_recall_wanted_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referrals")),
        sa.UniqueConstraint("code", name=op.f("uq_referrals_code")),
    ]


def referrals() -> None:
    op.create_table(
        "referrals",
        *_first_columns_of_referrals(),
        *_further_columns_of_referrals(),
        *_rules_of_referrals(),
    )
    op.create_index(op.f("ix_referrals_agency_id"), "referrals", ["agency_id"], unique=False)
    op.create_index("ix_referrals_call_id", "referrals", ["call_id"], unique=False)
    op.create_index(
        "ix_referrals_category_codes",
        "referrals",
        ["category_codes"],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index("ix_referrals_contact_id", "referrals", ["contact_id"], unique=False)
    op.create_index(
        "ix_referrals_escalating",
        "referrals",
        ["escalates_at"],
        unique=False,
        postgresql_where=sa.text("escalates_at IS NOT NULL"),
    )
    op.create_index(
        "ix_referrals_headline",
        "referrals",
        [sa.literal_column("to_tsvector('simple'::regconfig, headline_words)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index("ix_referrals_opened_at", "referrals", ["opened_at"], unique=False)
    op.create_index("ix_referrals_owner_id", "referrals", ["owner_id", "opened_at"], unique=False)
    op.create_index(
        "ix_referrals_place_path", "referrals", ["place_path"], unique=False, postgresql_using="gin"
    )
    op.create_index("ix_referrals_state", "referrals", ["state", "opened_at"], unique=False)
    op.create_index("ix_referrals_team", "referrals", ["team", "opened_at"], unique=False)
    op.create_index(
        "ix_referrals_withdrawal_at",
        "referrals",
        ["withdrawal_at"],
        unique=False,
        postgresql_where=sa.text("withdrawal_at IS NOT NULL"),
    )
    op.create_index(
        "uq_referrals_danger_key",
        "referrals",
        ["call_id"],
        unique=True,
        postgresql_where=sa.text("opened_how = 'danger_key'"),
    )


def consents() -> None:
    op.create_table(
        "consents",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=True),
        sa.Column("how", sa.Text(), nullable=True),
        sa.Column("scope", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("withheld_from", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("for_what", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("basis", sa.Text(), nullable=True),
        sa.Column("child_told", sa.Boolean(), nullable=True),
        sa.Column("despite", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("words_sealed", postgresql.BYTEA(), nullable=True),
        sa.CheckConstraint(
            "(kind = 'override') = (basis IS NOT NULL)", name=op.f("ck_consents_basis_of_override")
        ),
        sa.CheckConstraint(
            "basis IN ('vital_interests', 'legal_obligation', 'best_interests')",
            name=op.f("ck_consents_basis"),
        ),
        sa.CheckConstraint(
            "kind <> 'override' OR words_sealed IS NOT NULL", name=op.f("ck_consents_reason")
        ),
        sa.CheckConstraint(
            "kind IN ('consent', 'override', 'withdrawn')", name=op.f("ck_consents_kind")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_consents_referral_id")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_consents_staff_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_consents")),
    )
    op.create_index("ix_consents_referral_id", "consents", ["referral_id", "number"], unique=False)


def notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("for_whom", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("seen_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "for_whom IN ('owner', 'supervisors')", name=op.f("ck_notices_for_whom")
        ),
        sa.CheckConstraint(
            "kind IN ('breach', 'override', 'call_back', 'question', 'rejected', "
            "'no_agency_left', 'wrong_service', 'wrong_number', 'urgency_lowered', "
            "'completed', 'undelivered', 'ring_them', 'withdrawn', 'recall_wanted', "
            "'unmapped', 'danger_unanswered', 'escalated')",
            name=op.f("ck_notices_kind"),
        ),
        sa.ForeignKeyConstraint(["author_id"], ["staff.id"], name=op.f("fk_notices_author_id")),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_notices_referral_id")
        ),
        sa.ForeignKeyConstraint(["seen_by"], ["staff.id"], name=op.f("fk_notices_seen_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index("ix_notices_referral_id", "notices", ["referral_id"], unique=False)
    op.create_index(
        "ix_notices_unseen",
        "notices",
        ["at"],
        unique=False,
        postgresql_where=sa.text("seen_at IS NULL"),
    )


def recipients() -> None:
    op.create_table(
        "recipients",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("why", postgresql.ARRAY(Text()), nullable=False),
        sa.Column("offered_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("delivered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("acknowledged_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("accepted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("details_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("read_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("read_revision", sa.Integer(), nullable=True),
        sa.Column("announced_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "reason IN ('no_capacity', 'outside_area', 'outside_mandate', "
            "'age_out_of_range', 'insufficient_information', 'duplicate', 'cannot_locate', "
            "'other')",
            name=op.f("ck_recipients_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('offered', 'delivered', 'acknowledged', 'accepted', 'in_progress', "
            "'completed', 'rejected', 'unanswered', 'withdrawn')",
            name=op.f("ck_recipients_state"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_recipients_agency_id")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_recipients_referral_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipients")),
        sa.UniqueConstraint("referral_id", "number", name=op.f("uq_recipients_referral_id_number")),
    )
    op.create_index(
        "ix_recipients_agency_id", "recipients", ["agency_id", "offered_at"], unique=False
    )
    op.create_index("ix_recipients_offered_at", "recipients", ["offered_at"], unique=False)


def deadlines() -> None:
    op.create_table(
        "deadlines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("stopped_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("breached_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("breached_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('acknowledge', 'details', 'seen', 'written', 'follow_up', 'team', "
            "'feedback', 'hand_over')",
            name=op.f("ck_deadlines_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["breached_by"], ["recipients.id"], name=op.f("fk_deadlines_breached_by")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_deadlines_referral_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadlines")),
        sa.UniqueConstraint("referral_id", "kind", name=op.f("uq_deadlines_referral_id_kind")),
    )
    op.create_index(op.f("ix_deadlines_breached_by"), "deadlines", ["breached_by"], unique=False)
    op.create_index(
        "ix_deadlines_running",
        "deadlines",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("stopped_at IS NULL"),
    )
    op.create_index(
        "ix_deadlines_unbreached",
        "deadlines",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("stopped_at IS NULL AND breached_at IS NULL"),
    )


def disclosures() -> None:
    op.create_table(
        "disclosures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=True),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("fields", postgresql.ARRAY(Text()), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_disclosures_agency_id")
        ),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["recipients.id"], name=op.f("fk_disclosures_recipient_id")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_disclosures_referral_id")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_disclosures_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disclosures")),
    )
    op.create_index(
        "ix_disclosures_referral_id", "disclosures", ["referral_id", "id"], unique=False
    )


def dispatches() -> None:
    op.create_table(
        "dispatches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=True),
        sa.Column("place_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("wanted_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("on_the_way_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("arrived_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("words_sealed", postgresql.BYTEA(), nullable=True),
        sa.CheckConstraint(
            "state IN ('asked', 'on_the_way', 'arrived', 'seen', 'done', 'called_off')",
            name=op.f("ck_dispatches_state"),
        ),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["recipients.id"], name=op.f("fk_dispatches_recipient_id")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referrals.id"], name=op.f("fk_dispatches_referral_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispatches")),
    )
    op.create_index("ix_dispatches_referral_id", "dispatches", ["referral_id"], unique=False)


def deadline_breaches() -> None:
    op.create_table(
        "deadline_breaches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("deadline_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=True),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["deadline_id"], ["deadlines.id"], name=op.f("fk_deadline_breaches_deadline_id")
        ),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["recipients.id"], name=op.f("fk_deadline_breaches_recipient_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadline_breaches")),
    )
    op.create_index(
        "ix_deadline_breaches_deadline_id", "deadline_breaches", ["deadline_id"], unique=False
    )
    op.create_index(
        "ix_deadline_breaches_recipient_id", "deadline_breaches", ["recipient_id"], unique=False
    )
