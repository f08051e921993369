"""Practice calls: the practice, what was done in it, remarks; a call that rings one counsellor."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ACTS = (
    "act IN ('open_question', 'closed_question', 'listened', 'reassured', 'explained', 'safety', "
    "'wish', 'plan', 'goodbye', 'promised_secrecy', 'blamed', 'advised')"
)
ENDINGS = (
    "ended_how IN ('well', 'early', 'child_left', 'silence', 'counsellor', 'not_answered', 'lost')"
)
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "calls",
        sa.Column(
            "rings_only_id",
            sa.Uuid,
            sa.ForeignKey("staff.id", name="fk_calls_rings_only_id", ondelete="SET NULL"),
        ),
    )
    op.create_table(
        "practices",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("trainee_id", sa.Uuid, nullable=False),
        sa.Column("team", sa.Text, nullable=False),
        sa.Column("scenario", sa.Text, nullable=False),
        sa.Column("script", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("call_id", sa.Uuid),
        sa.Column("ended_at", INSTANT),
        sa.Column("ended_how", sa.Text),
        sa.Column("measured", postgresql.JSONB),
        sa.PrimaryKeyConstraint("id", name="pk_practices"),
        sa.ForeignKeyConstraint(
            ["trainee_id"], ["staff.id"], name="fk_practices_trainee_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name="fk_practices_call_id", ondelete="SET NULL"
        ),
        sa.UniqueConstraint("call_id", name="uq_practices_call_id"),
        sa.CheckConstraint("language IN ('en', 'sr')", name="ck_practices_language"),
        sa.CheckConstraint(ENDINGS, name="ck_practices_ended_how"),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_how IS NULL)", name="ck_practices_ended"),
    )
    op.create_index(
        "uq_practices_trainee_id",
        "practices",
        ["trainee_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_practices_trainee_id_started_at", "practices", ["trainee_id", "started_at"])
    op.create_index("ix_practices_team_started_at", "practices", ["team", "started_at"])
    _acts_and_remarks()


def _acts_and_remarks() -> None:
    op.create_table(
        "practice_acts",
        sa.Column("practice_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("by_id", sa.Uuid, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("topic", sa.Text),
        sa.PrimaryKeyConstraint("practice_id", "number", name="pk_practice_acts"),
        sa.ForeignKeyConstraint(
            ["practice_id"],
            ["practices.id"],
            name="fk_practice_acts_practice_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["by_id"], ["staff.id"], name="fk_practice_acts_by_id"),
        sa.CheckConstraint(ACTS, name="ck_practice_acts_act"),
        sa.CheckConstraint("number > 0", name="ck_practice_acts_number"),
    )
    op.create_table(
        "practice_remarks",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("practice_id", sa.Uuid, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("by_id", sa.Uuid, nullable=False),
        sa.Column("words_sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_practice_remarks"),
        sa.ForeignKeyConstraint(
            ["practice_id"],
            ["practices.id"],
            name="fk_practice_remarks_practice_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["by_id"], ["staff.id"], name="fk_practice_remarks_by_id"),
    )
    op.create_index("ix_practice_remarks_practice_id", "practice_remarks", ["practice_id"])
