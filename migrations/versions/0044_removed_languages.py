"""A language of a line is removed without harm to callers who wait in it."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_DIGITS = "uq_line_languages_line_id_digit"


def upgrade() -> None:
    op.add_column("line_languages", sa.Column("removed_at", sa.DateTime(timezone=True)))
    op.drop_index(_DIGITS, "line_languages")
    op.create_index(
        _DIGITS,
        "line_languages",
        ["line_id", "digit"],
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )
