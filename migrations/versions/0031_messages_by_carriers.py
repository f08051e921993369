"""Children write by SMS, WhatsApp and other messengers."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
_PURPOSES = (
    "counsellor",
    "participant",
    "callback",
    "duty_phone",
    "alarm",
    "partner",
    "notice",
    "test",
)
_SENTENCES = ("counsellor_here", "counsellor_lost", "handed_over", "busy_a_moment")
_TO_A_PHONE = ("wait", "closed", "no_media", "blocked", "opted_out")
_FAILURES = (
    "not_dialled",
    "opted_out",
    "window",
    "unreachable",
    "unknown_number",
    "filtered",
    "no_address",
    "refused",
    "uncertain",
)
_CARRIED = ("sms", "whatsapp", "telegram", "viber", "signal")
_SENDING = ("wanted", "sending", "sent", "failed")
# The tables that hold something about these children.


def _one_of(column: str, values: tuple[str, ...]) -> str:
    words = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({words})"


def _again(table: str, name: str, condition: str) -> None:
    """Put another condition in place of a constraint's."""
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def _sentences(values: tuple[str, ...]) -> str:
    known = _one_of("sentence", values)
    return f"({known}) AND (author = 'program') = (sentence IS NOT NULL)"


_CONTACTS = (
    "call",
    "voice_message",
    "email",
    "walk_in",
    "letter",
    "outreach",
    "chat",
    "other",
)


def upgrade() -> None:
    _again("contacts", "channel", _one_of("channel", (*_CONTACTS[:-1], *_CARRIED, "other")))
    _again("dials", "purpose", _one_of("purpose", (*_PURPOSES, "conversation")))
    _again("chat_messages", "sentence", _sentences((*_SENTENCES, *_TO_A_PHONE)))
    op.add_column("chat_messages", sa.Column("failure", sa.Text))
    op.create_check_constraint(
        op.f("ck_chat_messages_failure"), "chat_messages", _one_of("failure", _FAILURES)
    )
    op.create_index(
        "uq_calls_carried",
        "calls",
        ["line_id", "channel", "caller_key"],
        unique=True,
        postgresql_where=sa.text("channel NOT IN ('voice', 'web') AND state <> 'ended'"),
    )
    _sent()
    op.create_table(
        "chat_arrivals",
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("sid", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("call_id", sa.Uuid),
        sa.Column("ours", sa.Text),
        sa.PrimaryKeyConstraint("channel", "sid", name="pk_chat_arrivals"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_chat_arrivals_call_id"),
        sa.CheckConstraint(_one_of("channel", _CARRIED), name="ck_chat_arrivals_channel"),
    )
    op.create_index("ix_chat_arrivals_at", "chat_arrivals", ["at"])
    op.create_index("ix_chat_arrivals_call_id", "chat_arrivals", ["call_id"])
    op.create_table(
        "chat_opt_outs",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("line_id", sa.Uuid, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("caller_key", sa.LargeBinary, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chat_opt_outs"),
        sa.ForeignKeyConstraint(["line_id"], ["lines.id"], name="fk_chat_opt_outs_line_id"),
        sa.UniqueConstraint("line_id", "channel", "caller_key", name="uq_chat_opt_outs_line_id"),
        sa.CheckConstraint(_one_of("channel", _CARRIED), name="ck_chat_opt_outs_channel"),
    )


def _sent() -> None:
    op.create_table(
        "chat_sent",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("call_id", sa.Uuid, nullable=False),
        sa.Column("message_id", sa.Uuid),
        sa.Column("wanted_at", INSTANT, nullable=False),
        sa.Column("held_at", INSTANT),
        sa.Column("parts", sa.Integer),
        sa.Column("reported", sa.Text),
        sa.Column("code", sa.Integer),
        sa.Column("sending", sa.Text, server_default="wanted", nullable=False),
        sa.Column("sent_at", INSTANT),
        sa.Column("asks", sa.Integer, server_default="0", nullable=False),
        sa.Column("provider_sid", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_chat_sent"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_chat_sent_call_id"),
        sa.ForeignKeyConstraint(
            ["message_id"], ["chat_messages.id"], name="fk_chat_sent_message_id"
        ),
        sa.UniqueConstraint("message_id", name="uq_chat_sent_message_id"),
        sa.UniqueConstraint("provider_sid", name="uq_chat_sent_provider_sid"),
        sa.CheckConstraint(_one_of("sending", _SENDING), name="ck_chat_sent_sending"),
        sa.CheckConstraint("held_at IS NULL OR sending = 'wanted'", name="ck_chat_sent_held_at"),
    )
    op.create_index("ix_chat_sent_call_id", "chat_sent", ["call_id", "wanted_at"])
    op.create_index("ix_chat_sent_wanted_at", "chat_sent", ["wanted_at"])
