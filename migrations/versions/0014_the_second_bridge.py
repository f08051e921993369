"""A platform without conferences: a leg that the caller's own leg dials, and its words."""

import sqlalchemy as sa
from alembic import op

from migrations.prompts import add_prompts, drop_prompts

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

PROMPTS = {
    "en": {
        "whisper_dialled": "A call to {line} is waiting. To take it, press {digit}.",
        "rings_again": "Thank you. Your phone rings again in a moment, with the caller.",
        "rings_them": "Thank you. We are ringing them now.",
    },
    "sr": {
        "whisper_dialled": "Čeka poziv za {line}. Da ga preuzmeš, pritisni {digit}.",
        "rings_again": "Hvala. Telefon ponovo zvoni za koji trenutak, i poziv je na vezi.",
        "rings_them": "Hvala. Upravo zovemo.",
    },
}
_NAME = "ck_legs_sending"
_BEFORE = ("wanted", "sending", "sent", "failed")


def _allow(*words: str) -> None:
    op.drop_constraint(op.f(_NAME), "legs", type_="check")
    listed = ", ".join(f"'{word}'" for word in words)
    op.create_check_constraint(op.f(_NAME), "legs", f"sending IN ({listed})")


def upgrade() -> None:
    _allow(*_BEFORE, "dialled")
    op.add_column("calls", sa.Column("preferred_at", sa.TIMESTAMP(timezone=True), nullable=True))
    add_prompts(PROMPTS)


def downgrade() -> None:
    drop_prompts(PROMPTS)
    op.execute("UPDATE legs SET sending = 'failed' WHERE sending = 'dialled'")
    _allow(*_BEFORE)
    op.drop_column("calls", "preferred_at")
