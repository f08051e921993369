"""Contacts and profiles: answers, their log, and the definitions that they are written by."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Text, Uuid
from sqlalchemy.dialects import postgresql


def definitions() -> None:
    op.create_table(
        "definitions",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", postgresql.BYTEA(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("registered_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "version", name=op.f("pk_definitions")),
    )


def match_keys() -> None:
    op.create_table(
        "match_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", postgresql.BYTEA(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('name', 'sound', 'heard', 'number', 'born')", name=op.f("ck_match_keys_kind")
        ),
        sa.CheckConstraint(
            "subject_kind IN ('contact', 'case')", name=op.f("ck_match_keys_subject_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_keys")),
    )
    op.create_index(
        "ix_match_keys_earlier",
        "match_keys",
        ["subject_id"],
        unique=False,
        postgresql_where=sa.text("kind = 'sound'"),
    )
    op.create_index(
        "ix_match_keys_key", "match_keys", ["key", "subject_kind", "subject_id"], unique=False
    )
    op.create_index("ix_match_keys_subject_id", "match_keys", ["subject_id", "path"], unique=False)


def profiles() -> None:
    op.create_table(
        "profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["merged_into"], ["profiles.id"], name=op.f("fk_profiles_merged_into")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles")),
        sa.UniqueConstraint("code", name=op.f("uq_profiles_code")),
    )


def earlier_answers() -> None:
    op.create_table(
        "earlier_answers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=Text()), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("replaced_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("replaced_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "subject_kind IN ('contact', 'case', 'referral')",
            name=op.f("ck_earlier_answers_subject_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["replaced_by"], ["staff.id"], name=op.f("fk_earlier_answers_replaced_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_earlier_answers")),
    )
    op.create_index(
        "ix_earlier_answers_subject_id", "earlier_answers", ["subject_id", "id"], unique=False
    )


def profile_numbers() -> None:
    op.create_table(
        "profile_numbers",
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("caller_key", postgresql.BYTEA(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profiles.id"], name=op.f("fk_profile_numbers_profile_id")
        ),
        sa.PrimaryKeyConstraint("profile_id", "caller_key", name=op.f("pk_profile_numbers")),
    )
    op.create_index(
        "ix_profile_numbers_caller_key", "profile_numbers", ["caller_key"], unique=False
    )


def record_events() -> None:
    op.create_table(
        "record_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.Column("words_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("words_id", sa.Uuid(), nullable=True),
        sa.Column("previous", postgresql.BYTEA(), nullable=False),
        sa.Column("hash", postgresql.BYTEA(), nullable=False),
        sa.CheckConstraint(
            "subject_kind IN ('contact', 'case', 'profile', 'referral')",
            name=op.f("ck_record_events_subject_kind"),
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_record_events_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_events")),
    )
    op.create_index(
        "ix_record_events_subject_id", "record_events", ["subject_id", "id"], unique=False
    )


def _columns_of_contacts() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("call_id", sa.Uuid(), nullable=True),
        sa.Column("profile_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), server_default="draft", nullable=False),
        sa.Column("closed_as", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("on_behalf_of", sa.Uuid(), nullable=True),
        sa.Column("taken_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("urgency", sa.Text(), nullable=True),
        sa.Column("urgency_suggested", sa.Text(), nullable=True),
        sa.Column("completed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("completed_by", sa.Uuid(), nullable=True),
        sa.Column("completions", sa.Integer(), server_default="0", nullable=False),
        sa.Column("danger_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
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


def _rules_of_contacts() -> list[sa.schema.SchemaItem]:
    return [
        sa.CheckConstraint(
            "channel IN ('call', 'voice_message', 'email', 'walk_in', 'letter', 'outreach', "
            "'chat', 'other')",
            name=op.f("ck_contacts_channel"),
        ),
        sa.CheckConstraint(
            "closed_as IN ('silent', 'hang_up', 'wrong_number', 'test', 'prank', 'abusive', "
            "'thanks', 'question')",
            name=op.f("ck_contacts_closed_as"),
        ),
        sa.CheckConstraint(
            "source IN ('live', 'afterwards', 'paper', 'on_behalf')",
            name=op.f("ck_contacts_source"),
        ),
        sa.CheckConstraint(
            "state <> 'complete' OR completed_at IS NOT NULL", name=op.f("ck_contacts_completed_at")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'complete', 'reopened')", name=op.f("ck_contacts_state")
        ),
        sa.CheckConstraint(
            "urgency IN ('immediate', 'urgent', 'priority', 'routine')",
            name=op.f("ck_contacts_urgency"),
        ),
        sa.CheckConstraint(
            "urgency_suggested IN ('immediate', 'urgent', 'priority', 'routine')",
            name=op.f("ck_contacts_urgency_suggested"),
        ),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_contacts_call_id")),
        sa.ForeignKeyConstraint(
            ["completed_by"], ["staff.id"], name=op.f("fk_contacts_completed_by")
        ),
        sa.ForeignKeyConstraint(
            ["on_behalf_of"], ["staff.id"], name=op.f("fk_contacts_on_behalf_of")
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_contacts_owner_id")),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profiles.id"], name=op.f("fk_contacts_profile_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint("call_id", name=op.f("uq_contacts_call_id")),
        sa.UniqueConstraint("code", name=op.f("uq_contacts_code")),
    ]


def contacts() -> None:
    op.create_table("contacts", *_columns_of_contacts(), *_rules_of_contacts())
    op.create_index(
        "ix_contacts_category_codes",
        "contacts",
        ["category_codes"],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(
        "ix_contacts_danger_at",
        "contacts",
        ["danger_at"],
        unique=False,
        postgresql_where=sa.text("danger_at IS NOT NULL"),
    )
    op.create_index(
        "ix_contacts_headline",
        "contacts",
        [sa.literal_column("to_tsvector('simple'::regconfig, headline_words)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(
        "ix_contacts_open",
        "contacts",
        ["owner_id"],
        unique=False,
        postgresql_where=sa.text("state <> 'complete'"),
    )
    op.create_index("ix_contacts_opened_at", "contacts", ["opened_at"], unique=False)
    op.create_index("ix_contacts_owner_id", "contacts", ["owner_id", "opened_at"], unique=False)
    op.create_index(
        "ix_contacts_place_path", "contacts", ["place_path"], unique=False, postgresql_using="gin"
    )
    op.create_index("ix_contacts_profile_id", "contacts", ["profile_id"], unique=False)
    op.create_index("ix_contacts_taken_at", "contacts", ["taken_at"], unique=False)
    op.create_index("ix_contacts_team", "contacts", ["team", "opened_at"], unique=False)


def completed_versions() -> None:
    op.create_table(
        "completed_versions",
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("answers", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.Column("sealed", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_completed_versions_contact_id")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_completed_versions_staff_id")
        ),
        sa.PrimaryKeyConstraint("contact_id", "number", name=op.f("pk_completed_versions")),
    )


def contact_readers() -> None:
    op.create_table(
        "contact_readers",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("opened_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("since", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_contact_readers_contact_id")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_contact_readers_staff_id")
        ),
        sa.PrimaryKeyConstraint("staff_id", "contact_id", name=op.f("pk_contact_readers")),
    )
    op.create_index(
        "ix_contact_readers_contact_id", "contact_readers", ["contact_id"], unique=False
    )
    op.create_index(
        "ix_contact_readers_newest",
        "contact_readers",
        ["staff_id", "opened_at", "contact_id"],
        unique=False,
    )


def openings() -> None:
    op.create_table(
        "openings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("contacts", postgresql.ARRAY(Uuid()), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("reason_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("reviewed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("reviewed_by", sa.Uuid(), nullable=True),
        sa.Column("fitting", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_openings_contact_id")
        ),
        sa.ForeignKeyConstraint(
            ["reviewed_by"], ["staff.id"], name=op.f("fk_openings_reviewed_by")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_openings_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_openings")),
    )
    op.create_index("ix_openings_at", "openings", ["at"], unique=False)
    op.create_index("ix_openings_contact_id", "openings", ["contact_id"], unique=False)
    op.create_index("ix_openings_staff_id", "openings", ["staff_id", "until"], unique=False)
    op.create_index(
        "ix_openings_to_review",
        "openings",
        ["team"],
        unique=False,
        postgresql_where=sa.text("reviewed_at IS NULL"),
    )


def urgency_decisions() -> None:
    op.create_table(
        "urgency_decisions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("urgency", sa.Text(), nullable=False),
        sa.Column("suggested", sa.Text(), nullable=True),
        sa.Column("cues", postgresql.ARRAY(Text()), nullable=False),
        sa.Column("reason_sealed", postgresql.BYTEA(), nullable=True),
        sa.CheckConstraint(
            "suggested IN ('immediate', 'urgent', 'priority', 'routine')",
            name=op.f("ck_urgency_decisions_suggested"),
        ),
        sa.CheckConstraint(
            "urgency IN ('immediate', 'urgent', 'priority', 'routine')",
            name=op.f("ck_urgency_decisions_urgency"),
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_urgency_decisions_contact_id")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_urgency_decisions_staff_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_urgency_decisions")),
    )
    op.create_index(
        "ix_urgency_decisions_contact_id", "urgency_decisions", ["contact_id", "at"], unique=False
    )
