"""Call-backs on the caller's own wish: in the time that they chose, at most three tries.

Their phone rings only when a counsellor is there; the call that we make is in no number of calls.
And a partner who may take a caller for whom nobody of ours is free.
"""

import sqlalchemy as sa
from alembic import op

from migrations.prompts import add_prompts, drop_prompts

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

PROMPTS = {
    "en": {
        "partner": "We are trying to reach somebody of another service for you. Please hold.",
        "partner_ask": "A caller of {line} is waiting. To take the call, press {digit}.",
        "offer_callback": "To be called back, press {digit}.",
        "callback_safe": (
            "Is it safe for you if we ring this number? Press 1 for yes. If not, press 2: then we "
            "will not ring you."
        ),
        "callback_who": (
            "If only you may know that we ring, press 1. If anybody who answers may know, press 2."
        ),
        "callback_when": (
            "As soon as we can: press 1. This evening: press 2. Tomorrow afternoon: press 3."
        ),
        "callback_kept": (
            "We will ring you between {from} and {until}. You can hang up now, or stay on the line."
        ),
        "callback_not": "Then we will not ring you. Please stay on the line.",
    },
    "sr": {
        "partner": "Pokušavamo da dobijemo nekoga iz druge službe za tebe. Ostani na vezi.",
        "partner_ask": "Čeka poziv za {line}. Da ga preuzmete, pritisnite {digit}.",
        "offer_callback": "Ako želiš da te pozovemo, pritisni {digit}.",
        "callback_safe": (
            "Da li je za tebe bezbedno da pozovemo ovaj broj? Za da pritisni 1. Ako nije, "
            "pritisni 2: onda te nećemo zvati."
        ),
        "callback_who": (
            "Ako samo ti smeš da znaš da zovemo, pritisni 1. Ako sme svako ko se javi, pritisni 2."
        ),
        "callback_when": (
            "Što pre možemo: pritisni 1. Večeras: pritisni 2. Sutra posle podne: pritisni 3."
        ),
        "callback_kept": (
            "Pozvaćemo te između {from} i {until}. Sada možeš da prekineš, ili ostani na vezi."
        ),
        "callback_not": "Onda te nećemo zvati. Ostani na vezi.",
    },
}


def _instant(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=nullable)


def _ref(column: str, to: str, *, nullable: bool = True) -> sa.Column:
    key = sa.ForeignKey(f"{to}.id", name=f"fk_callbacks_{column}")
    return sa.Column(column, sa.Uuid(), key, nullable=nullable)


def upgrade() -> None:
    op.add_column(
        "calls", sa.Column("direction", sa.Text(), nullable=False, server_default="inbound")
    )
    op.create_check_constraint(
        op.f("ck_calls_direction"), "calls", "direction IN ('inbound', 'outbound')"
    )
    op.add_column("calls", sa.Column("callback_id", sa.Uuid(), nullable=True))
    op.create_index("ix_calls_callback_id", "calls", ["callback_id"])
    for name in ("rung_at", "partner_at", "transferred_at", "wanted_skills_at"):
        op.add_column("calls", _instant(name, nullable=True))
    op.add_column(
        "calls", sa.Column("asked_back", sa.Boolean(), nullable=False, server_default="false")
    )
    op.create_table(
        "callbacks",
        sa.Column("id", sa.Uuid(), nullable=False),
        _ref("call_id", "calls", nullable=False),
        sa.Column("caller_key", sa.LargeBinary(), nullable=False),
        sa.Column("number_sealed", sa.LargeBinary(), nullable=True),
        _ref("line_id", "lines", nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        _instant("window_from"),
        _instant("window_until"),
        sa.Column("state", sa.Text(), nullable=False, server_default="agreed"),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        _instant("next_at"),
        _instant("agreed_at"),
        _ref("made_by", "staff"),
        _instant("done_at", nullable=True),
        _ref("done_by", "staff"),
        sa.PrimaryKeyConstraint("id", name="pk_callbacks"),
        sa.CheckConstraint(
            "state IN ('agreed', 'trying', 'reached', 'given_up', 'cancelled')",
            name=op.f("ck_callbacks_state"),
        ),
        sa.CheckConstraint("who IN ('caller', 'anyone')", name=op.f("ck_callbacks_who")),
        sa.CheckConstraint("window_from < window_until", name=op.f("ck_callbacks_window")),
    )
    op.create_index("ix_callbacks_call_id", "callbacks", ["call_id"])
    op.create_index("ix_callbacks_caller_key", "callbacks", ["caller_key"])
    op.create_index(
        "ix_callbacks_next_at",
        "callbacks",
        ["next_at"],
        postgresql_where=sa.text("state = 'agreed'"),
    )
    op.create_index(
        "uq_callbacks_caller_key_open",
        "callbacks",
        ["caller_key"],
        unique=True,
        postgresql_where=sa.text("state IN ('agreed', 'trying')"),
    )
    add_prompts(PROMPTS)


def downgrade() -> None:
    drop_prompts(PROMPTS)
    op.drop_table("callbacks")
    op.drop_constraint(op.f("ck_calls_direction"), "calls", type_="check")
    op.drop_index("ix_calls_callback_id", "calls")
    for column in (
        "asked_back",
        "wanted_skills_at",
        "transferred_at",
        "partner_at",
        "rung_at",
        "callback_id",
        "direction",
    ):
        op.drop_column("calls", column)
