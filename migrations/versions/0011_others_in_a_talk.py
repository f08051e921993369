"""Others in a talk: colleagues, third parties, supervisors; and a talk that goes on without us.

A talk that is handed over stays in the conference in which it began; the caller hears nothing
of it.
"""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

PROMPTS = {
    "en": {
        "transferred": (
            "You are being connected with a colleague. Please stay on the line: you are first."
        ),
        "ask_colleague": "A colleague asks you into a talk on {line}. To join, press {digit}.",
        "ask_outside": ("This is {line}. We need you in a talk right now. To join, press {digit}."),
    },
    "sr": {
        "transferred": "Spajamo te sa kolegom. Ostani na vezi: prvi si na redu.",
        "ask_colleague": "Kolega te poziva u razgovor na {line}. Da uđeš, pritisni {digit}.",
        "ask_outside": (
            "Ovde {line}. Potrebni ste nam u razgovoru koji je u toku. Da uđete, pritisnite "
            "{digit}."
        ),
    },
}


def _instant(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=nullable)


def _ref(table: str, column: str, to: str, *, nullable: bool = True) -> sa.Column:
    key = sa.ForeignKey(f"{to}.id", name=f"fk_{table}_{column}")
    return sa.Column(column, sa.Uuid(), key, nullable=nullable)


def _check(name: str, what: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(what, name=op.f(f"ck_parties_{name}"))


def upgrade() -> None:
    op.add_column("offers", _ref("offers", "room_id", "offers"))
    op.create_index("ix_offers_room_id", "offers", ["room_id"])
    op.add_column("offers", _instant("muted_at", nullable=True))
    op.add_column("legs", sa.Column("party_id", sa.Uuid(), nullable=True))
    op.create_index("ix_legs_party_id", "legs", ["party_id"])
    op.add_column("calls", sa.Column("handed_to", sa.Uuid(), nullable=True))
    op.create_table(
        "parties",
        sa.Column("id", sa.Uuid(), nullable=False),
        _ref("parties", "call_id", "calls", nullable=False),
        _ref("parties", "room_id", "offers", nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False, server_default="talk"),
        sa.Column("state", sa.Text(), nullable=False, server_default="ringing"),
        _ref("parties", "staff_id", "staff"),
        sa.Column("number_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        _ref("parties", "asked_by", "staff"),
        _instant("wanted_at"),
        _instant("joined_at", nullable=True),
        _instant("left_at", nullable=True),
        _ref("parties", "owner_offer_id", "offers"),
        sa.PrimaryKeyConstraint("id", name="pk_parties"),
        _check(
            "purpose", "purpose IN ('consult', 'transfer', 'third_party', 'supervise', 'panic')"
        ),
        _check("mode", "mode IN ('talk', 'listen', 'whisper')"),
        _check("state", "state IN ('ringing', 'in', 'left', 'failed')"),
        _check(
            "role",
            "role IS NULL OR role IN ('police', 'mobile_outreach', 'interpreter',"
            " 'social_welfare', 'medical', 'other')",
        ),
        _check("who", "(staff_id IS NULL) = (number_sealed IS NOT NULL)"),
    )
    op.create_index("ix_parties_call_id", "parties", ["call_id"])
    op.create_index(
        "uq_parties_staff_live",
        "parties",
        ["staff_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('ringing', 'in')"),
    )
    prompts = sa.table(
        "prompts",
        sa.column("id", sa.Uuid()),
        sa.column("language", sa.Text()),
        sa.column("key", sa.Text()),
        sa.column("text", sa.Text()),
    )
    op.bulk_insert(
        prompts,
        [
            {"id": uuid4(), "language": language, "key": key, "text": text}
            for language, texts in PROMPTS.items()
            for key, text in texts.items()
        ],
    )


def downgrade() -> None:
    keys = ", ".join(f"'{key}'" for key in PROMPTS["en"])
    op.execute(f"DELETE FROM prompts WHERE key IN ({keys})")
    op.drop_table("parties")
    op.drop_column("calls", "handed_to")
    op.drop_index("ix_legs_party_id", "legs")
    op.drop_column("legs", "party_id")
    op.drop_column("offers", "muted_at")
    op.drop_index("ix_offers_room_id", "offers")
    op.drop_column("offers", "room_id")
