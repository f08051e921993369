"""Dialling: an alarm on minutes, and an alarm about dialling also where there is no line."""

import sqlalchemy as sa
from alembic import op

revision = "0073"
down_revision = "0071"
branch_labels = None
depends_on = None

# As an administrator may have set the alarm on calls: about two minutes for each.
_FROM_CALLS = {"minutes_hour": "alarm_hour", "minutes_day": "alarm_day"}


def upgrade() -> None:
    for name, calls in _FROM_CALLS.items():
        op.add_column("dialling_rules", sa.Column(name, sa.Integer()))
        op.execute(f"UPDATE dialling_rules SET {name} = least(2 * {calls}, 1000000)")
        op.alter_column("dialling_rules", name, nullable=False)
    op.create_check_constraint(
        "ck_dialling_rules_minutes", "dialling_rules", "minutes_hour >= 1 AND minutes_day >= 1"
    )
    op.drop_constraint("ck_alarms_about", "alarms", type_="check")
    op.create_check_constraint(
        "ck_alarms_about",
        "alarms",
        "(line_id IS NULL) <> (subject_id IS NULL) OR "
        "subject_id IS NULL AND kind IN ('dialling_hour', 'dialling_day')",
    )
    op.create_index(
        "uq_alarms_open_without_line",
        "alarms",
        ["kind"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL AND line_id IS NULL AND subject_id IS NULL"),
    )
