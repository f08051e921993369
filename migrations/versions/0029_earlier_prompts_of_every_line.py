"""What every line said before a change is kept as well: a change is taken back on its page."""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_COLUMNS = ["line_id", "language", "key", "number"]


def upgrade() -> None:
    op.alter_column("earlier_prompts", "line_id", nullable=True)
    op.drop_index("uq_earlier_prompts", "earlier_prompts")
    op.create_index(
        "uq_earlier_prompts",
        "earlier_prompts",
        _COLUMNS,
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
