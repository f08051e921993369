"""A number that begins too many conversations is told so."""

from alembic import op

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None

_SENTENCES = (
    "counsellor_here",
    "counsellor_lost",
    "handed_over",
    "busy_a_moment",
    "wait",
    "closed",
    "no_media",
    "blocked",
    "too_many",
    "opted_out",
)


def upgrade() -> None:
    name = op.f("ck_chat_messages_sentence")
    known = ", ".join(f"'{one}'" for one in _SENTENCES)
    op.drop_constraint(name, "chat_messages", type_="check")
    op.create_check_constraint(
        name,
        "chat_messages",
        f"(sentence IN ({known})) AND (author = 'program') = (sentence IS NOT NULL)",
    )
