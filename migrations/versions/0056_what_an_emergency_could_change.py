"""What an emergency access could change is kept, sealed, until it was put back; a team, a telephone
and a code of a person who reads the records of others wait for a second person."""

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("emergencies", sa.Column("before_sealed", sa.LargeBinary))
    op.add_column("emergencies", sa.Column("settings_back_at", sa.DateTime(timezone=True)))
    for name in ("team", "endpoint", "code_hash"):
        op.add_column("access_requests", sa.Column(name, sa.Text))
    op.drop_constraint("ck_access_requests_kind", "access_requests")
    kinds = "account change link factor phone_code identity".split()
    op.create_check_constraint(
        "ck_access_requests_kind",
        "access_requests",
        f"kind IN ({', '.join(repr(kind) for kind in kinds)})",
    )
    op.create_check_constraint(
        "ck_access_requests_code",
        "access_requests",
        "(kind = 'phone_code') = (code_hash IS NOT NULL)",
    )
