"""Of a request about a person's data is kept that more time was taken, why, and since when."""

import sqlalchemy as sa
from alembic import op

revision = "0107"
down_revision = "0106"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("extension_months", sa.Integer(), nullable=True),
        sa.Column("extension_because", sa.Text(), nullable=True),
        sa.Column("extension_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("extended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("extended_by", sa.Uuid(), nullable=True),
        sa.Column("told_on", sa.Date(), nullable=True),
    ):
        op.add_column("data_requests", column)
    op.create_foreign_key(
        op.f("fk_data_requests_extended_by"),
        "data_requests",
        "staff",
        ["extended_by"],
        ["id"],
    )
    for name, condition in (
        ("extension_because", "extension_because IN ('complex', 'many_requests')"),
        ("extension_months", "extension_months BETWEEN 1 AND 2"),
        (
            "extended",
            "(extended_at IS NULL) = (extension_months IS NULL)"
            " AND (extended_at IS NULL) = (extension_because IS NULL)"
            " AND (extended_at IS NOT NULL OR told_on IS NULL)",
        ),
    ):
        op.create_check_constraint(op.f(f"ck_data_requests_{name}"), "data_requests", condition)
    op.drop_constraint("ck_safekeeping_notices_kind", "safekeeping_notices", type_="check")
    op.create_check_constraint(
        "ck_safekeeping_notices_kind",
        "safekeeping_notices",
        "kind IN ('anchor_late', 'backup_late', 'backup_log_late', 'request_late',"
        " 'request_overdue')",
    )
