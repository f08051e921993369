"""Contacts and cases: found by how a name sounds in more spellings, and by a year of birth."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_match_keys_kind"), "match_keys", type_="check")
    op.create_check_constraint(
        op.f("ck_match_keys_kind"),
        "match_keys",
        "kind IN ('name', 'sound', 'heard', 'number', 'born')",
    )
    op.create_index(
        "ix_match_keys_earlier",
        "match_keys",
        ["subject_id"],
        postgresql_where=sa.text("kind = 'sound'"),
    )


def downgrade() -> None:
    op.drop_index("ix_match_keys_earlier", "match_keys")
    op.execute("DELETE FROM match_keys WHERE kind IN ('heard', 'born')")
    op.drop_constraint(op.f("ck_match_keys_kind"), "match_keys", type_="check")
    op.create_check_constraint(
        op.f("ck_match_keys_kind"), "match_keys", "kind IN ('name', 'sound', 'number')"
    )
