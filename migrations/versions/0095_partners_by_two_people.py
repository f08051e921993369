"""A line's new number of its partner waits for a second person."""

import sqlalchemy as sa
from alembic import op

revision = "0095"
down_revision = "0094"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "partner_requests",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("line_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Uuid),
        sa.Column("asked_role", sa.Text, nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid),
        sa.Column("decided_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_partner_requests"),
        sa.ForeignKeyConstraint(
            ["line_id"], ["lines.id"], name="fk_partner_requests_line_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["staff.id"], name="fk_partner_requests_asked_by"),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["staff.id"], name="fk_partner_requests_decided_by"
        ),
        sa.CheckConstraint(
            "state IN ('waits', 'in_force', 'refused', 'replaced')",
            name="ck_partner_requests_state",
        ),
        sa.CheckConstraint(
            "state <> 'in_force' OR decided_by IS NULL OR asked_by IS NULL"
            " OR decided_by <> asked_by",
            name="ck_partner_requests_two_people",
        ),
    )
    op.create_index(
        "uq_partner_requests_waits",
        "partner_requests",
        ["line_id"],
        unique=True,
        postgresql_where=sa.text("state = 'waits'"),
    )
