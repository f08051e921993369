"""Changes of where an agency is reached wait for a second person."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
_FIELDS = "email sms duty_phones webhook_url primero webhook_secret primero_password".split()
_STATES = "waits in_force refused replaced".split()
_NOTICES = (
    "breach override call_back question rejected no_agency_left wrong_service wrong_number "
    "urgency_lowered completed undelivered ring_them withdrawn recall_wanted unmapped "
    "danger_unanswered escalated"
).split()


def _in(column: str, words: list[str]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


def _set_notices(words: list[str]) -> None:
    op.drop_constraint("ck_notices_kind", "notices", type_="check")
    op.create_check_constraint("ck_notices_kind", "notices", _in("kind", words))


def upgrade() -> None:
    op.create_table(
        "address_changes",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("agency_id", sa.Uuid, nullable=False),
        sa.Column("field", sa.Text, nullable=False),
        sa.Column("value", JSONB),
        sa.Column("before", JSONB),
        sa.Column("secret_sealed", sa.LargeBinary),
        sa.Column("former_email", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Uuid),
        sa.Column("asked_role", sa.Text, nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid),
        sa.Column("decided_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_address_changes"),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name="fk_address_changes_agency_id"
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["staff.id"], name="fk_address_changes_asked_by"),
        sa.ForeignKeyConstraint(["decided_by"], ["staff.id"], name="fk_address_changes_decided_by"),
        sa.CheckConstraint(_in("field", _FIELDS), name="ck_address_changes_field"),
        sa.CheckConstraint(_in("state", _STATES), name="ck_address_changes_state"),
    )
    op.create_index(
        "uq_address_changes_waits",
        "address_changes",
        ["agency_id", "field"],
        unique=True,
        postgresql_where=sa.text("state = 'waits'"),
    )
    _set_notices([*_NOTICES, "address_changes"])
