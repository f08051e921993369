"""Written conversations: a child is told that it writes too fast for its words to reach us, and a
message that cannot be read is put away."""

import sqlalchemy as sa
from alembic import op

revision = "0078"
down_revision = "0077"
branch_labels = None
depends_on = None

_SENTENCES = (
    "(sentence IN ('counsellor_here', 'counsellor_lost', 'handed_over', 'busy_a_moment', 'wait', "
    "'closed', 'no_media', 'blocked', 'too_many', 'too_fast', 'opted_out')) AND "
    "(author = 'program') = (sentence IS NOT NULL)"
)


def upgrade() -> None:
    name = op.f("ck_chat_messages_sentence")
    op.drop_constraint(name, "chat_messages")
    op.create_check_constraint(name, "chat_messages", _SENTENCES)
    put_away_at = sa.Column("put_away_at", sa.DateTime(timezone=True), nullable=True)
    op.add_column("chat_fetched", put_away_at)
