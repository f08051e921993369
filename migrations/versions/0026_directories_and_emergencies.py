"""Accounts that a directory keeps; emergency access by two people."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BYTEA

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_STATES = ("asked", "open", "ended", "refused", "lapsed")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "directory_accounts",
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("external_id", sa.Text),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("deleted_at", INSTANT),
        sa.PrimaryKeyConstraint("staff_id", name="pk_directory_accounts"),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
            name="fk_directory_accounts_staff_id",
            ondelete="CASCADE",
        ),
    )

    op.add_column("staff", sa.Column("under_emergency", sa.Uuid))
    op.add_column(
        "openings",
        sa.Column("in_emergency", sa.Boolean, server_default="false", nullable=False),
    )
    _add_emergencies()
    _add_what_was_seen()


def _in(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _add_emergencies() -> None:
    people = ("asked_by", "decided_by", "ended_by", "account_id", "reviewed_by")
    op.create_table(
        "emergencies",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("subject_kind", sa.Text),
        sa.Column("subject_id", sa.Uuid),
        sa.Column("ground_sealed", BYTEA, nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("asked_by", sa.Uuid, nullable=False),
        sa.Column("asked_role", sa.Text, nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("confirm_until", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid),
        sa.Column("decided_role", sa.Text),
        sa.Column("decided_at", INSTANT),
        sa.Column("until", INSTANT),
        sa.Column("ended_at", INSTANT),
        sa.Column("ended_by", sa.Uuid),
        sa.Column("account_id", sa.Uuid),
        sa.Column("reviewed_by", sa.Uuid),
        sa.Column("reviewed_at", INSTANT),
        sa.Column("fitting", sa.Boolean),
        sa.Column("review_sealed", BYTEA),
        sa.PrimaryKeyConstraint("id", name="pk_emergencies"),
        *(
            sa.ForeignKeyConstraint([one], ["staff.id"], name=f"fk_emergencies_{one}")
            for one in people
        ),
        sa.CheckConstraint(_in("kind", ("accounts", "record")), name="ck_emergencies_kind"),
        sa.CheckConstraint(_in("state", _STATES), name="ck_emergencies_state"),
        sa.CheckConstraint(
            "(kind = 'record') = (subject_id IS NOT NULL)", name="ck_emergencies_subject"
        ),
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_by <> asked_by", name="ck_emergencies_two_people"
        ),
    )
    live = "state IN ('asked', 'open')"
    op.create_index(
        "uq_emergencies_accounts",
        "emergencies",
        ["kind"],
        unique=True,
        postgresql_where=sa.text(f"kind = 'accounts' AND {live}"),
    )
    op.create_index(
        "uq_emergencies_asked_by",
        "emergencies",
        ["asked_by"],
        unique=True,
        postgresql_where=sa.text(live),
    )
    op.create_index("ix_emergencies_asked_at", "emergencies", ["asked_at"])


def _add_what_was_seen() -> None:
    op.create_table(
        "emergencies_seen",
        sa.Column("emergency_id", sa.Uuid, nullable=False),
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("emergency_id", "staff_id", "state", name="pk_emergencies_seen"),
        sa.ForeignKeyConstraint(
            ["emergency_id"],
            ["emergencies.id"],
            name="fk_emergencies_seen_emergency_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
            name="fk_emergencies_seen_staff_id",
            ondelete="CASCADE",
        ),
    )
