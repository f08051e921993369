"""Earlier passwords, second factors with their recovery codes, and rules of signing in."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0012"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def _of_staff(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["staff_id"], ["staff.id"], name=f"fk_{table}_staff_id", ondelete="CASCADE"
    )


def upgrade() -> None:
    op.create_table(
        "earlier_passwords",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("until_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_earlier_passwords"),
        _of_staff("earlier_passwords"),
    )
    op.create_index("ix_earlier_passwords_staff_id", "earlier_passwords", ["staff_id"])
    op.create_table(
        "second_factors",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("confirmed_at", INSTANT),
        sa.Column("last_step", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_second_factors"),
        _of_staff("second_factors"),
    )
    for name, state in (("confirmed", "IS NOT NULL"), ("new", "IS NULL")):
        op.create_index(
            f"uq_second_factors_{name}",
            "second_factors",
            ["staff_id"],
            unique=True,
            postgresql_where=sa.text(f"confirmed_at {state}"),
        )
    op.create_table(
        "recovery_codes",
        sa.Column("code_key", sa.LargeBinary, nullable=False),
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT),
        sa.PrimaryKeyConstraint("code_key", name="pk_recovery_codes"),
        _of_staff("recovery_codes"),
    )
    op.create_index("ix_recovery_codes_staff_id", "recovery_codes", ["staff_id"])
    op.create_table(
        "sign_in_rules",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("factor_roles", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("session_hours", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_rules"),
        sa.CheckConstraint("id = 1", name="ck_sign_in_rules_one_row"),
    )
    op.add_column("staff_sessions", sa.Column("awaits", sa.Text))
    op.create_check_constraint(
        "ck_staff_sessions_awaits", "staff_sessions", "awaits IN ('code', 'setting_up')"
    )
