"""Tests of connections: what was tried, and what came of it."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
_MEANS = ("telephony", "sms", "mail", "push", "webhooks", "case_systems")
_SENDING = ("wanted", "sending", "sent", "failed")
_RESULTS = (
    "accepted",
    "delivered",
    "no_connection",
    "no_answer",
    "redirected",
    "not_let_in",
    "not_there",
    "too_busy",
    "their_fault",
    "refused",
    "not_its_api",
    "misfits",
    "undelivered",
    "not_dialled",
    "not_in_time",
)
_PURPOSES = ("counsellor", "participant", "callback", "duty_phone", "alarm", "partner", "notice")


def _in(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _set_purposes(purposes: tuple[str, ...]) -> None:
    op.drop_constraint("ck_dials_purpose", "dials", type_="check")
    op.create_check_constraint("ck_dials_purpose", "dials", _in("purpose", purposes))


def upgrade() -> None:
    op.create_table(
        "connection_tests",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("means", sa.Text, nullable=False),
        sa.Column("agency_id", sa.Uuid),
        sa.Column("staff_id", sa.Uuid),
        sa.Column("target", sa.Text),
        sa.Column("language", sa.Text, nullable=False, server_default="en"),
        sa.Column("wanted_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("result", sa.Text),
        sa.Column("status", sa.Integer),
        sa.Column("details", sa.ARRAY(sa.Text), nullable=False, server_default="{}"),
        sa.Column("sending", sa.Text, nullable=False, server_default="wanted"),
        sa.Column("sent_at", INSTANT),
        sa.Column("asks", sa.Integer, nullable=False, server_default="0"),
        sa.Column("provider_sid", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_connection_tests"),
        sa.UniqueConstraint("provider_sid", name="uq_connection_tests_provider_sid"),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name="fk_connection_tests_agency_id"
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name="fk_connection_tests_staff_id"),
        sa.CheckConstraint(_in("means", _MEANS), name="ck_connection_tests_means"),
        sa.CheckConstraint(_in("sending", _SENDING), name="ck_connection_tests_sending"),
        sa.CheckConstraint(_in("result", _RESULTS), name="ck_connection_tests_result"),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (result IS NULL)", name="ck_connection_tests_ended"
        ),
    )
    op.create_index("ix_connection_tests_means", "connection_tests", ["means", "wanted_at"])
    _set_purposes((*_PURPOSES, "test"))
