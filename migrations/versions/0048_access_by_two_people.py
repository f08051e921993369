"""Access to the records of others waits for a second person.

Who could sign in with a role that reads them, now or before, is noted: a helpline that is in use
has no first account any more that one administrator gives alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
_KINDS = "account change link factor identity".split()
_STATES = "waits in_force refused replaced".split()
# The roles that read the records of others when this was written.
_READERS = "('supervisor', 'referral_officer')"


def _in(column: str, words: list[str]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


def upgrade() -> None:
    op.add_column("staff", sa.Column("could_agree", sa.Boolean, server_default="false"))
    op.execute(
        f"""
        UPDATE staff SET could_agree =
          role IN {_READERS} AND (password_hash IS NOT NULL OR by_provider OR NOT active)
          OR EXISTS (
            SELECT 1 FROM audit_entries
            WHERE subject = staff.id::text AND action = 'staff_changed'
              AND detail -> 'before' ->> 'role' IN {_READERS}
          )
        """
    )
    op.alter_column("staff", "could_agree", nullable=False)
    _access_requests()


def _access_requests() -> None:
    op.add_column(
        "password_links", sa.Column("waits", sa.Boolean, nullable=False, server_default="false")
    )
    op.create_table(
        "access_requests",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("role_before", sa.Text, nullable=False),
        sa.Column("role", sa.Text),
        sa.Column("email", sa.Text),
        sa.Column("link_id", sa.Uuid),
        sa.Column("issuer", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("asked_by", sa.Uuid),
        sa.Column("asked_role", sa.Text, nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid),
        sa.Column("decided_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_access_requests"),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name="fk_access_requests_staff_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["link_id"],
            ["password_links.id"],
            name="fk_access_requests_link_id",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["staff.id"], name="fk_access_requests_asked_by"),
        sa.ForeignKeyConstraint(["decided_by"], ["staff.id"], name="fk_access_requests_decided_by"),
        sa.CheckConstraint(_in("kind", _KINDS), name="ck_access_requests_kind"),
        sa.CheckConstraint(_in("state", _STATES), name="ck_access_requests_state"),
        sa.CheckConstraint(
            "(kind = 'identity') = (subject IS NOT NULL)", name="ck_access_requests_subject"
        ),
        sa.CheckConstraint(
            "(issuer IS NULL) = (subject IS NULL)", name="ck_access_requests_issuer"
        ),
        sa.CheckConstraint(
            "state <> 'in_force' OR decided_by IS NULL"
            " OR (decided_by <> staff_id AND (asked_by IS NULL OR decided_by <> asked_by))",
            name="ck_access_requests_two_people",
        ),
    )
    op.create_index(
        "uq_access_requests_waits",
        "access_requests",
        ["staff_id"],
        unique=True,
        postgresql_where=sa.text("state = 'waits'"),
    )
