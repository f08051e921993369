"""An alarm when a message waits too long for a person who takes it."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
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
)


def _set_kinds(*kinds: str) -> None:
    op.drop_constraint("ck_alarms_kind", "alarms", type_="check")
    words = ", ".join(repr(kind) for kind in kinds)
    op.create_check_constraint("ck_alarms_kind", "alarms", f"kind IN ({words})")


def upgrade() -> None:
    _set_kinds(*_BEFORE, "message_not_taken")
    op.create_index(
        "ix_voice_messages_untaken",
        "voice_messages",
        ["created_at"],
        postgresql_where=sa.text("taken_at IS NULL AND heard_at IS NULL"),
    )
