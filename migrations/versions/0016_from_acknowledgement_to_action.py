"""Referrals: from an acknowledgement to action."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
RESULTS = (
    "acknowledged",
    "wants_to_be_called_back",
    "wrong_number",
    "no_answer",
    "busy",
    "machine",
    "nobody_pressed_a_key",
    "not_confirmed",
    "unreachable",
    "delivered",
    "failed",
    "not_needed_any_more",
)
NOTICES = (
    "breach",
    "override",
    "call_back",
    "question",
    "rejected",
    "nobody_left",
    "wrong_service",
    "wrong_number",
    "completed",
    "undelivered",
    "ring_them",
    "unmapped",
    "danger_unanswered",
    "escalated",
)
PURPOSES = ("ladder", "code", "link", "withdrawn", "recalled", "answer", "update")
CLOCKS = (
    "acknowledge",
    "details",
    "seen",
    "written",
    "follow_up",
    "team",
    "feedback",
    "hand_over",
)


def _allow(table: str, column: str, words: tuple[str, ...]) -> None:
    name = f"ck_{table}_{column}"
    op.drop_constraint(op.f(name), table, type_="check")
    listed = ", ".join(f"'{word}'" for word in words)
    op.create_check_constraint(op.f(name), table, f"{column} IN ({listed})")


def upgrade() -> None:
    _allow("rungs", "result", RESULTS)
    _allow("rungs", "purpose", PURPOSES)
    _allow("notices", "kind", NOTICES)
    _allow("clocks", "kind", CLOCKS)
    op.add_column("duty_phones", sa.Column("doubted_at", INSTANT))
    for column in ("details_at", "read_at", "announced_at"):
        op.add_column("approaches", sa.Column(column, INSTANT))
    op.add_column("approaches", sa.Column("read_revision", sa.Integer()))
    for column in ("update_due_at", "announced_at"):
        op.add_column("referrals", sa.Column(column, INSTANT))
