"""Browsers that are woken by web push, what is sent to them, and the key that signs it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "push_keys",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("private_sealed", sa.LargeBinary, nullable=False),
        sa.Column("public", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_push_keys"),
    )
    op.create_table(
        "push_subscriptions",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("endpoint_sealed", sa.LargeBinary, nullable=False),
        sa.Column("endpoint_key", sa.LargeBinary, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_push_subscriptions"),
        sa.UniqueConstraint("endpoint_key", name="uq_push_subscriptions_endpoint_key"),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name="fk_push_subscriptions_staff_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_push_subscriptions_staff_id", "push_subscriptions", ["staff_id"])
    op.create_table(
        "push_messages",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("subscription_id", sa.Uuid, nullable=False),
        sa.Column("wanted_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("sending", sa.Text, nullable=False, server_default="wanted"),
        sa.Column("sent_at", INSTANT),
        sa.Column("asks", sa.Integer, nullable=False, server_default="0"),
        sa.Column("provider_sid", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_push_messages"),
        sa.UniqueConstraint("provider_sid", name="uq_push_messages_provider_sid"),
        sa.CheckConstraint(
            "sending IN ('wanted', 'sending', 'sent', 'failed')", name="ck_push_messages_sending"
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["push_subscriptions.id"],
            name="fk_push_messages_subscription_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_push_messages_subscription_id", "push_messages", ["subscription_id"])
    op.create_index("ix_push_messages_wanted_at", "push_messages", ["wanted_at"])
