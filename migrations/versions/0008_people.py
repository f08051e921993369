"""Changing accounts: revisions, links for passwords, and what a person sees of their sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("staff", sa.Column("revision", sa.Integer, server_default="0", nullable=False))
    op.add_column(
        "staff_sessions",
        sa.Column("id", sa.Uuid, server_default=sa.text("gen_random_uuid()"), nullable=False),
    )
    op.add_column("staff_sessions", sa.Column("used_at", INSTANT))
    op.add_column(
        "staff_sessions", sa.Column("browser", sa.Text, server_default="", nullable=False)
    )
    op.create_unique_constraint("uq_staff_sessions_id", "staff_sessions", ["id"])
    op.create_table(
        "password_links",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("token_key", sa.LargeBinary, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("made_by", sa.Uuid),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT),
        sa.Column("withdrawn_at", INSTANT),
        sa.Column("by_mail", sa.Boolean, nullable=False),
        sa.Column("mailed_at", INSTANT),
        sa.Column("mail_failed_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_password_links"),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name="fk_password_links_staff_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["made_by"], ["staff.id"], name="fk_password_links_made_by"),
        sa.UniqueConstraint("token_key", name="uq_password_links_token_key"),
        sa.CheckConstraint("kind IN ('invitation', 'reset')", name="ck_password_links_kind"),
    )
    op.create_index(
        "uq_password_links_open",
        "password_links",
        ["staff_id"],
        unique=True,
        postgresql_where=sa.text("used_at IS NULL AND withdrawn_at IS NULL"),
    )
