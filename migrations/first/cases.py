"""Cases: what belongs to them, follow-ups, and children who may be one child."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Text
from sqlalchemy.dialects import postgresql


def _columns_of_cases() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("workflow_version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("separation_risk", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("separation_outcome", sa.Text(), nullable=True),
        sa.Column("risk", sa.Text(), nullable=True),
        sa.Column("risk_rose_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
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


def _rules_of_cases() -> list[sa.schema.SchemaItem]:
    return [
        sa.CheckConstraint("risk IN ('low', 'medium', 'high')", name=op.f("ck_cases_risk")),
        sa.CheckConstraint(
            "separation_outcome IN ('with_family', 'kin', 'foster', 'residential', 'unknown')",
            name=op.f("ck_cases_separation_outcome"),
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_cases_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("code", name=op.f("uq_cases_code")),
    ]


def cases() -> None:
    op.create_table("cases", *_columns_of_cases(), *_rules_of_cases())
    op.create_index(
        "ix_cases_category_codes", "cases", ["category_codes"], unique=False, postgresql_using="gin"
    )
    op.create_index(
        "ix_cases_headline",
        "cases",
        [sa.literal_column("to_tsvector('simple'::regconfig, headline_words)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index("ix_cases_opened_at", "cases", ["opened_at"], unique=False)
    op.create_index("ix_cases_owner_id", "cases", ["owner_id", "opened_at"], unique=False)
    op.create_index(
        "ix_cases_place_path", "cases", ["place_path"], unique=False, postgresql_using="gin"
    )
    op.create_index(
        "ix_cases_risk_rose_at",
        "cases",
        ["risk_rose_at"],
        unique=False,
        postgresql_where=sa.text("risk_rose_at IS NOT NULL AND closed_at IS NULL"),
    )
    op.create_index("ix_cases_status", "cases", ["status", "opened_at"], unique=False)
    op.create_index("ix_cases_team", "cases", ["team", "opened_at"], unique=False)


def case_documents() -> None:
    op.create_table(
        "case_documents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("name_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("content_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("scan", sa.Text(), nullable=False),
        sa.Column("flags", postgresql.ARRAY(Text()), server_default="{}", nullable=False),
        sa.Column("removed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("removed_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("scan IN ('clean', 'not_scanned')", name=op.f("ck_case_documents_scan")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_documents_case_id")),
        sa.ForeignKeyConstraint(
            ["removed_by"], ["staff.id"], name=op.f("fk_case_documents_removed_by")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_case_documents_staff_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_documents")),
    )
    op.create_index("ix_case_documents_case_id", "case_documents", ["case_id"], unique=False)


def case_flags() -> None:
    op.create_table(
        "case_flags",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("words_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=True),
        sa.Column("raised_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("raised_by", sa.Uuid(), nullable=False),
        sa.Column("lowered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("lowered_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "about IN ('danger_at_a_visit', 'do_not_ring', 'court_date', 'to_be_reviewed', "
            "'other')",
            name=op.f("ck_case_flags_about"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_flags_case_id")),
        sa.ForeignKeyConstraint(
            ["lowered_by"], ["staff.id"], name=op.f("fk_case_flags_lowered_by")
        ),
        sa.ForeignKeyConstraint(["raised_by"], ["staff.id"], name=op.f("fk_case_flags_raised_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_flags")),
    )
    op.create_index(
        "ix_case_flags_case_id",
        "case_flags",
        ["case_id"],
        unique=False,
        postgresql_where=sa.text("lowered_at IS NULL"),
    )


def case_links() -> None:
    op.create_table(
        "case_links",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=False),
        sa.Column("tie", sa.Text(), nullable=False),
        sa.Column("linked_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("linked_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "tie IN ('siblings', 'same_household', 'same_incident', 'same_child')",
            name=op.f("ck_case_links_tie"),
        ),
        sa.CheckConstraint("case_id < other_id", name=op.f("ck_case_links_in_order")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_links_case_id")),
        sa.ForeignKeyConstraint(["linked_by"], ["staff.id"], name=op.f("fk_case_links_linked_by")),
        sa.ForeignKeyConstraint(["other_id"], ["cases.id"], name=op.f("fk_case_links_other_id")),
        sa.PrimaryKeyConstraint("case_id", "other_id", name=op.f("pk_case_links")),
    )
    op.create_index("ix_case_links_other_id", "case_links", ["other_id"], unique=False)


def case_members() -> None:
    op.create_table(
        "case_members",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("opened_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("since", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_members_case_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_case_members_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", "case_id", name=op.f("pk_case_members")),
    )
    op.create_index("ix_case_members_case_id", "case_members", ["case_id"], unique=False)
    op.create_index(
        "ix_case_members_newest", "case_members", ["staff_id", "opened_at", "case_id"], unique=False
    )


def case_requests() -> None:
    op.create_table(
        "case_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("to_status", sa.Text(), nullable=True),
        sa.Column("to_team", sa.Text(), nullable=True),
        sa.Column("to_id", sa.Uuid(), nullable=True),
        sa.Column("reason_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("asked_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("decided_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("agreed", sa.Boolean(), nullable=True),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (agreed IS NULL)", name=op.f("ck_case_requests_decided_at")
        ),
        sa.CheckConstraint(
            "(to_status IS NULL) <> (to_team IS NULL)", name=op.f("ck_case_requests_one_thing")
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["staff.id"], name=op.f("fk_case_requests_asked_by")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_requests_case_id")),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["staff.id"], name=op.f("fk_case_requests_decided_by")
        ),
        sa.ForeignKeyConstraint(["to_id"], ["staff.id"], name=op.f("fk_case_requests_to_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_requests")),
    )
    op.create_index(
        "ix_case_requests_open",
        "case_requests",
        ["case_id", sa.literal_column("(to_status IS NULL)")],
        unique=True,
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.create_index(
        "ix_case_requests_to_id",
        "case_requests",
        ["to_id"],
        unique=False,
        postgresql_where=sa.text("decided_at IS NULL"),
    )


def follow_ups() -> None:
    op.create_table(
        "follow_ups",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("words_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("goal", sa.Text(), nullable=True),
        sa.Column("provider_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("reminded_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("overdue_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("done_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("done_by", sa.Uuid(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("result_sealed", postgresql.BYTEA(), nullable=True),
        sa.CheckConstraint(
            "about IN ('check', 'call_back', 'separation', 'document', 'conference', "
            "'intervention', 'review')",
            name=op.f("ck_follow_ups_about"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_follow_ups_case_id")),
        sa.ForeignKeyConstraint(["done_by"], ["staff.id"], name=op.f("fk_follow_ups_done_by")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_follow_ups_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follow_ups")),
    )
    op.create_index("ix_follow_ups_case_id", "follow_ups", ["case_id"], unique=False)
    op.create_index(
        "ix_follow_ups_owner_id",
        "follow_ups",
        ["owner_id"],
        unique=False,
        postgresql_where=sa.text("done_at IS NULL"),
    )


def case_contacts() -> None:
    op.create_table(
        "case_contacts",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("linked_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_contacts_case_id")),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_case_contacts_contact_id")
        ),
        sa.PrimaryKeyConstraint("case_id", "contact_id", name=op.f("pk_case_contacts")),
    )
    op.create_index("ix_case_contacts_contact_id", "case_contacts", ["contact_id"], unique=False)


def same_children() -> None:
    op.create_table(
        "same_children",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("contact_entry", sa.Text(), nullable=False),
        sa.Column("case_entry", sa.Text(), nullable=True),
        sa.Column("said_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("said_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id", "contact_id"],
            ["case_contacts.case_id", "case_contacts.contact_id"],
            name=op.f("fk_same_children_case_id_contact_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["said_by"], ["staff.id"], name=op.f("fk_same_children_said_by")),
        sa.PrimaryKeyConstraint(
            "case_id", "contact_id", "contact_entry", name=op.f("pk_same_children")
        ),
    )
    op.create_index(
        "ix_same_children_contact_id",
        "same_children",
        ["contact_id", "contact_entry"],
        unique=False,
    )
