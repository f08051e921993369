"""A request about a person's data can end by itself: it waited too long, or was overtaken."""

from alembic import op

revision = "0098"
down_revision = "0097"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint("ck_data_requests_state", "data_requests", type_="check")
    op.create_check_constraint(
        "ck_data_requests_state",
        "data_requests",
        "state IN ('found', 'asked', 'approved', 'refused', 'withdrawn', 'lapsed', 'done', "
        "'failed', 'expired')",
    )
