"""Chats: written conversations come into the same queue, rota, record and numbers as calls."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
JSONB = postgresql.JSONB(astext_type=sa.Text())
_PRESENCE = ("off_duty", "available", "offered", "on_call", "wrap_up", "break", "away")
_KINDS = (
    "caller_numbers",
    "voice_messages",
    "contacts",
    "cases",
    "referrals",
    "export_files",
    "caller_hashes",
    "caller_flags",
    "third_party_numbers",
    "drafts",
    "file_reasons",
    "data_requests",
)


def _one_of(column: str, values: tuple[str, ...]) -> str:
    words = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({words})"


def _again(table: str, name: str, condition: str) -> None:
    """Put another condition in place of a constraint's."""
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def upgrade() -> None:
    _calls()
    op.add_column("lines", sa.Column("chat", JSONB, server_default="{}", nullable=False))
    op.create_index("uq_lines_chat_slug", "lines", [sa.text("(chat ->> 'slug')")], unique=True)
    op.add_column(
        "staff", sa.Column("chats_at_once", sa.Integer, server_default="0", nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_staff_chats_at_once"), "staff", "chats_at_once BETWEEN 0 AND 8"
    )
    states = (*_PRESENCE[:4], "writing", *_PRESENCE[4:])
    _again("presences", "state", _one_of("state", states))
    _again("presence_changes", "before", _one_of("before", states))
    _again("presence_changes", "after", _one_of("after", states))
    _offers()
    kinds = (*_KINDS[:2], "chat_messages", *_KINDS[2:])
    _again("retention_rules", "kind", _one_of("kind", kinds))
    _again("erasures", "kind", _one_of("kind", kinds))
    _messages()
    _typing()
    _coming_back()


def _calls() -> None:
    op.add_column("calls", sa.Column("channel", sa.Text, server_default="voice", nullable=False))
    op.add_column("calls", sa.Column("first_word_at", INSTANT))
    channels = ("voice", "web", "sms", "whatsapp", "telegram", "viber", "signal")
    op.create_check_constraint(op.f("ck_calls_channel"), "calls", _one_of("channel", channels))
    _again(
        "calls",
        "provider_sid",
        "CASE WHEN channel = 'web' THEN provider_sid IS NULL WHEN channel <> 'voice' THEN true"
        " WHEN direction = 'inbound' THEN provider_sid IS NOT NULL"
        " ELSE provider_sid IS NULL OR sending = 'sent' END",
    )
    op.drop_index("ix_calls_waiting", "calls")
    op.create_index(
        "ix_calls_waiting",
        "calls",
        ["line_id", "language", "channel", "ranked_at", "id"],
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_calls_written",
        "calls",
        ["heard_at"],
        postgresql_where=sa.text("channel <> 'voice' AND state <> 'ended'"),
    )


def _offers() -> None:
    op.add_column("offers", sa.Column("slot", sa.Integer))
    op.create_check_constraint(op.f("ck_offers_slot"), "offers", "slot >= 1")
    op.drop_index("uq_offers_counsellor_held", "offers")
    op.create_index(
        "uq_offers_counsellor_held",
        "offers",
        ["counsellor_id"],
        unique=True,
        postgresql_where=sa.text("released_at IS NULL AND slot IS NULL"),
    )
    op.create_index(
        "uq_offers_counsellor_slot",
        "offers",
        ["counsellor_id", "slot"],
        unique=True,
        postgresql_where=sa.text("released_at IS NULL AND slot IS NOT NULL"),
    )


_AUTHOR = _one_of("author", ("child", "counsellor", "supervisor", "program"))
_SENTENCES = (
    "counsellor_here",
    "counsellor_lost",
    "handed_over",
    "busy_a_moment",
)


def _messages() -> None:
    op.create_table(
        "chat_messages",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("call_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, server_default="said", nullable=False),
        sa.Column("staff_id", sa.Uuid),
        sa.Column("text_sealed", sa.LargeBinary),
        sa.Column("sentence", sa.Text),
        sa.Column("client_key", sa.Text),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("delivered_at", INSTANT),
        sa.Column("seen_at", INSTANT),
        sa.Column("erased_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_chat_messages"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_chat_messages_call_id"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name="fk_chat_messages_staff_id"),
        sa.CheckConstraint(_AUTHOR, name="ck_chat_messages_author"),
        sa.CheckConstraint(_one_of("kind", ("said", "whisper")), name="ck_chat_messages_kind"),
        sa.CheckConstraint(
            f"({_one_of('sentence', _SENTENCES)}) AND (author = 'program') = "
            "(sentence IS NOT NULL)",
            name="ck_chat_messages_sentence",
        ),
        sa.CheckConstraint(
            "(text_sealed IS NULL) = (sentence IS NOT NULL OR erased_at IS NOT NULL)",
            name="ck_chat_messages_text",
        ),
        sa.CheckConstraint(
            "(staff_id IS NOT NULL) = (author IN ('counsellor', 'supervisor'))",
            name="ck_chat_messages_staff_id",
        ),
        sa.CheckConstraint(
            "kind = 'said' OR staff_id IS NOT NULL", name="ck_chat_messages_whisper"
        ),
    )
    op.create_index("uq_chat_messages_number", "chat_messages", ["call_id", "number"], unique=True)
    op.create_index(
        "uq_chat_messages_client_key",
        "chat_messages",
        ["call_id", "client_key"],
        unique=True,
        postgresql_where=sa.text("client_key IS NOT NULL"),
    )
    op.create_index(
        "ix_chat_messages_kept",
        "chat_messages",
        ["at"],
        postgresql_where=sa.text("text_sealed IS NOT NULL"),
    )


def _typing() -> None:
    op.create_table(
        "chat_typing",
        sa.Column("call_id", sa.Uuid, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("text_sealed", sa.LargeBinary),
        sa.PrimaryKeyConstraint("call_id", "author", name="pk_chat_typing"),
        sa.CheckConstraint(_AUTHOR, name="ck_chat_typing_author"),
        prefixes=["UNLOGGED"],
    )


def _coming_back() -> None:
    op.create_table(
        "chat_access",
        sa.Column("call_id", sa.Uuid, nullable=False),
        sa.Column("secret_key", sa.LargeBinary, nullable=False),
        sa.Column("opened_with", sa.LargeBinary, nullable=False),
        sa.Column("rated", sa.Boolean, server_default="false", nullable=False),
        sa.PrimaryKeyConstraint("call_id", name="pk_chat_access"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_chat_access_call_id"),
        sa.UniqueConstraint("secret_key", name="uq_chat_access_secret_key"),
        sa.UniqueConstraint("opened_with", name="uq_chat_access_opened_with"),
    )
    op.create_table(
        "chat_codes",
        sa.Column("call_id", sa.Uuid, nullable=False),
        sa.Column("code_key", sa.LargeBinary, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("until_at", INSTANT, nullable=False),
        sa.Column("owner_id", sa.Uuid),
        sa.Column("taken_at", INSTANT),
        sa.Column("done_at", INSTANT),
        sa.Column("done_by", sa.Uuid),
        sa.Column("used_at", INSTANT),
        sa.PrimaryKeyConstraint("call_id", name="pk_chat_codes"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_chat_codes_call_id"),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name="fk_chat_codes_owner_id"),
        sa.ForeignKeyConstraint(["done_by"], ["staff.id"], name="fk_chat_codes_done_by"),
        sa.UniqueConstraint("code_key", name="uq_chat_codes_code_key"),
    )
    op.create_index(
        "ix_chat_codes_left",
        "chat_codes",
        ["made_at"],
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "chat_feedback",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("line_id", sa.Uuid, nullable=False),
        sa.Column("month", sa.Date, nullable=False),
        sa.Column("helped", sa.Integer),
        sa.Column("again", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_chat_feedback"),
        sa.ForeignKeyConstraint(["line_id"], ["lines.id"], name="fk_chat_feedback_line_id"),
        sa.CheckConstraint("helped BETWEEN 1 AND 5", name="ck_chat_feedback_helped"),
        sa.CheckConstraint("again BETWEEN 1 AND 5", name="ck_chat_feedback_again"),
    )
    op.create_index("ix_chat_feedback_line_id_month", "chat_feedback", ["line_id", "month"])
