"""Lines have accounts at carriers, such as bots of Telegram."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
_CARRIED = ("sms", "whatsapp", "telegram", "viber", "signal")
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
_STATES = ("wanted", "registered", "paused", "refused", "removing")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    words = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({words})"


def _set_failures(values: tuple[str, ...]) -> None:
    name = op.f("ck_chat_messages_failure")
    op.drop_constraint(name, "chat_messages", type_="check")
    op.create_check_constraint(name, "chat_messages", _one_of("failure", values))


def upgrade() -> None:
    _set_failures((*_FAILURES[:-1], "not_set_up", "uncertain"))
    op.create_table(
        "chat_accounts",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("line_id", sa.Uuid, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("their_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("token_sealed", sa.LargeBinary, nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, server_default="wanted", nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("set_at", INSTANT, nullable=False),
        sa.Column("asked_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_chat_accounts"),
        sa.ForeignKeyConstraint(["line_id"], ["lines.id"], name="fk_chat_accounts_line_id"),
        sa.CheckConstraint(_one_of("channel", _CARRIED), name="ck_chat_accounts_channel"),
        sa.CheckConstraint(_one_of("state", _STATES), name="ck_chat_accounts_state"),
        sa.CheckConstraint(
            _one_of("problem", ("token", "address", "away")), name="ck_chat_accounts_problem"
        ),
    )
    for name, columns in (
        ("line_id", ["line_id", "channel"]),
        ("their_id", ["channel", "their_id"]),
    ):
        op.create_index(
            f"uq_chat_accounts_{name}",
            "chat_accounts",
            columns,
            unique=True,
            postgresql_where=sa.text("state <> 'removing'"),
        )
