"""A line that is without its partner, whose number was that of a person who has left, says so."""

import sqlalchemy as sa
from alembic import op

revision = "0108"
down_revision = "0107"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lines", sa.Column("partner_lost_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("lines", sa.Column("partner_lost_of", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_lines_partner_lost_of"), "lines", "staff", ["partner_lost_of"], ["id"]
    )
    op.create_check_constraint(
        op.f("ck_lines_lost_partner_is_none"),
        "lines",
        "partner_lost_at IS NULL OR plan ->> 'partner_number' IS NULL",
    )
