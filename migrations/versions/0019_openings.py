"""Contacts: earlier ones that are opened for a reason."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "openings",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("contact_id", sa.Uuid, nullable=False),
        sa.Column("team", sa.Text, nullable=False),
        sa.Column("contacts", postgresql.ARRAY(sa.Uuid), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.Column("reason_sealed", sa.LargeBinary, nullable=False),
        sa.Column("reviewed_at", INSTANT),
        sa.Column("reviewed_by", sa.Uuid),
        sa.Column("fitting", sa.Boolean),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_openings")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_openings_staff_id")),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_openings_contact_id")
        ),
        sa.ForeignKeyConstraint(
            ["reviewed_by"], ["staff.id"], name=op.f("fk_openings_reviewed_by")
        ),
    )
    op.create_index("ix_openings_contact_id", "openings", ["contact_id"])
    op.create_index("ix_openings_staff_id", "openings", ["staff_id", "until"])
    op.create_index("ix_openings_at", "openings", ["at"])
    op.create_index(
        "ix_openings_to_review",
        "openings",
        ["team"],
        postgresql_where=sa.text("reviewed_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("openings")
