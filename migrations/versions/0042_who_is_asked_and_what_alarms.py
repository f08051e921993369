"""A colleague who is asked into a talk is rung at their own telephone as well. A call-back that was
not made is an alarm, and alarms about a line are told apart by their kind."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


_BEFORE = (
    "no_counsellor_signed_in",
    "all_away",
    "last_one_misses",
    "long_wait",
    "draft_not_sent",
    "override_not_seen",
    "danger_not_referred",
    "risk_rose",
    "details_not_opened",
    "withdrawal_undecided",
    "dialling_hour",
    "dialling_day",
    "message_not_taken",
)
_OPEN = sa.text("ended_at IS NULL AND line_id IS NOT NULL")


def _set_kinds(*kinds: str) -> None:
    op.drop_constraint("ck_alarms_kind", "alarms", type_="check")
    words = ", ".join(repr(kind) for kind in kinds)
    op.create_check_constraint("ck_alarms_kind", "alarms", f"kind IN ({words})")


def upgrade() -> None:
    for name in ("second_due_at", "second_at"):
        op.add_column("participants", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    _set_kinds(*_BEFORE, "callback_not_made")
    op.drop_index("uq_alarms_open_line", "alarms")
    # Until now nothing but a lock kept alarms without a language apart: of two, the older stays.
    op.execute(
        "UPDATE alarms a SET ended_at = now(), next_at = NULL FROM alarms b"
        " WHERE a.ended_at IS NULL AND b.ended_at IS NULL AND a.line_id = b.line_id"
        " AND a.kind = b.kind AND a.language IS NOT DISTINCT FROM b.language"
        " AND (a.begun_at, a.id) > (b.begun_at, b.id)"
    )
    op.create_index(
        "uq_alarms_open_line",
        "alarms",
        ["line_id", "language", "kind"],
        unique=True,
        postgresql_where=_OPEN,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(
        "ix_callbacks_not_made",
        "callbacks",
        ["first_due_until"],
        postgresql_where=sa.text("tries = 0 AND done_by IS NULL"),
    )
