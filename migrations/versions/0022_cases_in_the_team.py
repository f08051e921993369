"""Cases: plans with interventions, links, flags, and what a second person has to agree to."""

from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_BEFORE = ("check", "call_back", "separation", "document", "conference")
_NOW = (*_BEFORE, "intervention", "review")
_OPENED = ("urgent_button", "danger_key", "contact", "by_hand")
_INSTANT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    _are_one_of("follow_ups", "about", _NOW)
    _are_one_of("referrals", "opened_how", (*_OPENED, "case"))
    op.add_column("follow_ups", sa.Column("goal", sa.Text))
    op.add_column("follow_ups", sa.Column("provider_sealed", sa.LargeBinary))
    op.create_table(
        "case_links",
        _to("case_id", "cases", "case_links"),
        _to("other_id", "cases", "case_links"),
        sa.Column("tie", sa.Text, nullable=False),
        sa.Column("linked_at", _INSTANT, nullable=False),
        _to("linked_by", "staff", "case_links"),
        _one_of("case_links", "tie", ("siblings", "same_household", "same_incident", "same_child")),
        sa.CheckConstraint("case_id < other_id", name=op.f("ck_case_links_in_order")),
        sa.PrimaryKeyConstraint("case_id", "other_id", name=op.f("pk_case_links")),
    )
    op.create_index("ix_case_links_other_id", "case_links", ["other_id"])
    op.create_table(
        "case_flags",
        sa.Column("id", sa.Uuid, nullable=False),
        _to("case_id", "cases", "case_flags"),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("words_sealed", sa.LargeBinary, nullable=False),
        sa.Column("last_on", sa.Date),
        sa.Column("raised_at", _INSTANT, nullable=False),
        _to("raised_by", "staff", "case_flags"),
        sa.Column("lowered_at", _INSTANT),
        _to("lowered_by", "staff", "case_flags", nullable=True),
        _one_of(
            "case_flags",
            "about",
            ("danger_at_a_visit", "do_not_ring", "court_date", "to_be_reviewed", "other"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_flags")),
    )
    op.create_index(
        "ix_case_flags_case_id",
        "case_flags",
        ["case_id"],
        postgresql_where=sa.text("lowered_at IS NULL"),
    )
    op.create_table(
        "case_requests",
        sa.Column("id", sa.Uuid, nullable=False),
        _to("case_id", "cases", "case_requests"),
        sa.Column("to_status", sa.Text),
        sa.Column("to_team", sa.Text),
        _to("to_id", "staff", "case_requests", nullable=True),
        sa.Column("reason_sealed", sa.LargeBinary, nullable=False),
        sa.Column("asked_at", _INSTANT, nullable=False),
        _to("asked_by", "staff", "case_requests"),
        sa.Column("decided_at", _INSTANT),
        _to("decided_by", "staff", "case_requests", nullable=True),
        sa.Column("agreed", sa.Boolean),
        sa.CheckConstraint(
            "(to_status IS NULL) <> (to_team IS NULL)", name=op.f("ck_case_requests_one_thing")
        ),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (agreed IS NULL)", name=op.f("ck_case_requests_decided_at")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_requests")),
    )
    open_ = sa.text("decided_at IS NULL")
    op.create_index(
        "ix_case_requests_open",
        "case_requests",
        ["case_id", sa.text("(to_status IS NULL)")],
        unique=True,
        postgresql_where=open_,
    )
    op.create_index("ix_case_requests_to_id", "case_requests", ["to_id"], postgresql_where=open_)


def downgrade() -> None:
    for table in ("case_requests", "case_flags", "case_links"):
        op.drop_table(table)
    op.drop_column("follow_ups", "provider_sealed")
    op.drop_column("follow_ups", "goal")
    _are_one_of("follow_ups", "about", _BEFORE)
    _are_one_of("referrals", "opened_how", _OPENED)


def _are_one_of(table: str, column: str, values: tuple[str, ...]) -> None:
    name = op.f(f"ck_{table}_{column}")
    op.drop_constraint(name, table)
    words = ", ".join(f"'{value}'" for value in values)
    op.create_check_constraint(name, table, f"{column} IN ({words})")


def _one_of(table: str, column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    words = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({words})", name=op.f(f"ck_{table}_{column}"))


def _to(name: str, target: str, table: str, *, nullable: bool = False) -> sa.Column[UUID]:
    key = sa.ForeignKey(f"{target}.id", name=op.f(f"fk_{table}_{name}"))
    return sa.Column(name, sa.Uuid, key, nullable=nullable)
