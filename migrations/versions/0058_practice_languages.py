"""Practice calls are held in every language that has a folder of their words, and not in two."""

from alembic import op

revision = "0058"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_practices_language"), "practices", type_="check")
