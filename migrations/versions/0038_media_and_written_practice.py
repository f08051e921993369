"""Children send pictures and voice notes; trainees practise in writing."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def _one_of(column: str, *values: str) -> str:
    words = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({words})"


def upgrade() -> None:
    op.add_column(
        "practices", sa.Column("written", sa.Boolean, server_default="false", nullable=False)
    )
    op.create_table(
        "chat_media",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("call_id", sa.Uuid, nullable=False),
        sa.Column("message_id", sa.Uuid, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, server_default="wanted", nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("source_sealed", sa.LargeBinary),
        sa.Column("content_sealed", sa.LargeBinary),
        sa.Column("media_type", sa.Text),
        sa.Column("size", sa.Integer),
        sa.Column("scan", sa.Text),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chat_media"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_chat_media_call_id"),
        sa.ForeignKeyConstraint(
            ["message_id"], ["chat_messages.id"], name="fk_chat_media_message_id"
        ),
        sa.UniqueConstraint("message_id", "place", name="uq_chat_media_message_id"),
        sa.CheckConstraint(_one_of("kind", "picture", "voice"), name="ck_chat_media_kind"),
        sa.CheckConstraint(
            _one_of("state", "wanted", "kept", "refused", "erased"), name="ck_chat_media_state"
        ),
        sa.CheckConstraint(
            _one_of("problem", "too_large", "unknown_kind", "harmful", "not_cleaned", "gone"),
            name="ck_chat_media_problem",
        ),
        sa.CheckConstraint(_one_of("scan", "clean", "not_scanned"), name="ck_chat_media_scan"),
        sa.CheckConstraint(
            "(state = 'kept') = (content_sealed IS NOT NULL)", name="ck_chat_media_content"
        ),
        sa.CheckConstraint(
            "(state = 'refused') = (problem IS NOT NULL)", name="ck_chat_media_refused"
        ),
    )
    op.create_index("ix_chat_media_call_id", "chat_media", ["call_id"])
