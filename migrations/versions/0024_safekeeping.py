"""Anchors of the logs, back-ups, and what administrators were told of them."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def _anchors() -> None:
    op.create_table(
        "anchors",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("made_on", sa.Date, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_anchors"),
        sa.UniqueConstraint("made_on", name="uq_anchors_made_on"),
    )
    op.create_table(
        "anchor_deliveries",
        sa.Column("anchor_id", sa.Uuid, nullable=False),
        sa.Column("way", sa.Text, nullable=False),
        sa.Column("done_at", INSTANT),
        sa.Column("problem", sa.Text),
        sa.Column("proof", sa.LargeBinary),
        sa.PrimaryKeyConstraint("anchor_id", "way", name="pk_anchor_deliveries"),
        sa.ForeignKeyConstraint(
            ["anchor_id"], ["anchors.id"], name="fk_anchor_deliveries_anchor_id"
        ),
        sa.CheckConstraint(
            "way IN ('file', 'mail', 'time_stamp')", name="ck_anchor_deliveries_way"
        ),
        sa.CheckConstraint(
            "(way = 'time_stamp') OR proof IS NULL", name="ck_anchor_deliveries_proof"
        ),
    )
    op.create_index("ix_anchor_deliveries_way", "anchor_deliveries", ["way", "done_at"])


def _backups() -> None:
    op.create_table(
        "backups",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("problem", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_backups"),
        sa.CheckConstraint("kind IN ('base', 'log', 'drill')", name="ck_backups_kind"),
    )
    op.create_index("ix_backups_kind", "backups", ["kind", "ended_at"])
    op.create_index(
        "uq_backups_log",
        "backups",
        ["kind"],
        unique=True,
        postgresql_where=sa.text("kind = 'log'"),
    )


def _notices() -> None:
    op.create_table(
        "safekeeping_notices",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.Column("told_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_safekeeping_notices"),
        sa.CheckConstraint(
            "kind IN ('anchor_late', 'backup_late', 'backup_log_late')",
            name="ck_safekeeping_notices_kind",
        ),
    )
    op.create_index(
        "uq_safekeeping_notices_open",
        "safekeeping_notices",
        ["kind"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def upgrade() -> None:
    _anchors()
    _backups()
    _notices()
