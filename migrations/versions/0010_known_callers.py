"""Known callers: flags that expire, whom they want, numbers that are forgotten; duty by phone.

A number is known by its keyed hash, which stays when the sealed number itself is forgotten.
"""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

PROMPTS = {
    "en": {
        "blocked": (
            "Your call cannot be taken at the moment. If you are in danger, press {digit} now, "
            "or ring {emergency}."
        ),
        "ask_for_last": "To wait for the counsellor you talked with last time, press {digit}.",
        "wish_kept": "We will try to reach them for you. Please stay on the line.",
        "duty_menu": (
            "{line}, for counsellors. To be available, press {available}. For a break, press "
            "{break}. To go off duty, press {off}. To talk with somebody, stay on the line."
        ),
        "duty_available": "You are available now. Calls will ring at this phone.",
        "duty_break": "You are on a break now.",
        "duty_off": "You are off duty now.",
    },
    "sr": {
        "blocked": (
            "Tvoj poziv sada ne može da bude primljen. Ako si u opasnosti, odmah pritisni {digit} "
            "ili pozovi {emergency}."
        ),
        "ask_for_last": "Da sačekaš savetnika sa kojim si prošli put razgovarao, pritisni {digit}.",
        "wish_kept": "Pokušaćemo da ga dobijemo za tebe. Ostani na vezi.",
        "duty_menu": (
            "{line}, za savetnike. Da budeš dostupan, pritisni {available}. Za pauzu, pritisni "
            "{break}. Za kraj smene, pritisni {off}. Za razgovor ostani na vezi."
        ),
        "duty_available": "Sada si dostupan. Pozivi će zvoniti na ovom telefonu.",
        "duty_break": "Sada si na pauzi.",
        "duty_off": "Sada nisi u smeni.",
    },
}


def _instant(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=nullable)


def _staff(table: str, column: str, *, nullable: bool = True, cascade: bool = False) -> sa.Column:
    key = sa.ForeignKey(
        "staff.id", name=f"fk_{table}_{column}", ondelete="CASCADE" if cascade else None
    )
    return sa.Column(column, sa.Uuid(), key, nullable=nullable)


def _check(table: str, name: str, what: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(what, name=op.f(f"ck_{table}_{name}"))


def upgrade() -> None:
    op.add_column(
        "calls", sa.Column("blocked", sa.Boolean(), nullable=False, server_default="false")
    )
    op.drop_constraint(op.f("ck_calls_caller_number"), "calls", type_="check")
    op.create_check_constraint(
        op.f("ck_calls_caller_number"),
        "calls",
        "caller_number_sealed IS NULL OR caller_key IS NOT NULL",
    )
    op.create_index(
        "ix_calls_numbers",
        "calls",
        ["ended_at"],
        postgresql_where=sa.text("caller_number_sealed IS NOT NULL"),
    )
    op.create_table(
        "caller_flags",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("caller_key", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=False),
        _staff("caller_flags", "made_by"),
        _instant("made_at"),
        _instant("expires_at"),
        _instant("lifted_at", nullable=True),
        _staff("caller_flags", "lifted_by"),
        sa.PrimaryKeyConstraint("id", name="pk_caller_flags"),
        _check("caller_flags", "kind", "kind IN ('blocked', 'at_risk', 'test_caller')"),
        _check("caller_flags", "expires_at", "expires_at > made_at"),
    )
    op.create_index("ix_caller_flags_caller_key", "caller_flags", ["caller_key"])
    op.create_table(
        "caller_wishes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("caller_key", sa.LargeBinary(), nullable=False),
        _staff("caller_wishes", "counsellor_id", nullable=False, cascade=True),
        sa.Column("wish", sa.Text(), nullable=False),
        _staff("caller_wishes", "made_by"),
        _instant("made_at"),
        _instant("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_caller_wishes"),
        _check("caller_wishes", "wish", "wish IN ('prefer', 'never')"),
    )
    op.create_index("ix_caller_wishes_caller_key", "caller_wishes", ["caller_key"])
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
    for table in ("caller_wishes", "caller_flags"):
        op.drop_table(table)
    op.drop_index("ix_calls_numbers", "calls")
    # A number that was forgotten cannot come back: its hash goes, too.
    op.execute("UPDATE calls SET caller_key = NULL WHERE caller_number_sealed IS NULL")
    op.drop_constraint(op.f("ck_calls_caller_number"), "calls", type_="check")
    op.create_check_constraint(
        op.f("ck_calls_caller_number"),
        "calls",
        "(caller_number_sealed IS NULL) = (caller_key IS NULL)",
    )
    op.drop_column("calls", "blocked")
