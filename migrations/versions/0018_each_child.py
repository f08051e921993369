"""Referrals: one for each child, and answers that have to be confirmed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


NOTICES = (
    "breach",
    "override",
    "call_back",
    "question",
    "rejected",
    "nobody_left",
    "wrong_service",
    "wrong_number",
    "urgency_lowered",
    "completed",
    "undelivered",
    "ring_them",
    "withdrawn",
    "recall_wanted",
    "unmapped",
    "danger_unanswered",
    "escalated",
)
ALARMS = (
    "nobody_signed_in",
    "everybody_away",
    "last_one_misses",
    "long_wait",
    "draft_not_sent",
    "override_not_seen",
    "danger_not_referred",
    "risk_rose",
    "details_not_opened",
    "withdrawal_undecided",
)


def _allow(table: str, words: tuple[str, ...]) -> None:
    name = f"ck_{table}_kind"
    op.drop_constraint(op.f(name), table, type_="check")
    listed = ", ".join(f"'{word}'" for word in words)
    op.create_check_constraint(op.f(name), table, f"kind IN ({listed})")


def upgrade() -> None:
    _allow("notices", NOTICES)
    _allow("alarms", ALARMS)
    instant = sa.TIMESTAMP(timezone=True)
    op.add_column("referrals", sa.Column("withdrawal_at", instant))
    op.add_column("referrals", sa.Column("recall_wanted_by", sa.Uuid))
    op.create_foreign_key(
        op.f("fk_referrals_recall_wanted_by"),
        "referrals",
        "staff",
        ["recall_wanted_by"],
        ["id"],
    )
    op.create_index(
        "ix_referrals_withdrawal_at",
        "referrals",
        ["withdrawal_at"],
        postgresql_where=sa.text("withdrawal_at IS NOT NULL"),
    )
    op.add_column("referrals", sa.Column("child_entry", sa.Text))
    words = postgresql.ARRAY(sa.Text)
    op.add_column("referrals", sa.Column("to_confirm", words, nullable=False, server_default="{}"))
    op.add_column("rungs", sa.Column("children", sa.Integer, nullable=False, server_default="1"))


def downgrade() -> None:
    op.drop_column("referrals", "recall_wanted_by")
    op.drop_column("referrals", "withdrawal_at")
    op.drop_column("rungs", "children")
    op.drop_column("referrals", "to_confirm")
    op.drop_column("referrals", "child_entry")
