"""Whom a longer wait opens, what a call needs, whom a caller wants, and who is still learning.

The place of a caller is one instant, arrival less priority, that the database keeps by itself: an
index finds the first of ten thousand as fast as the first of ten.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "lines", sa.Column("plan", postgresql.JSONB(), nullable=False, server_default="{}")
    )
    op.add_column(
        "staff", sa.Column("training", sa.Boolean(), nullable=False, server_default="false")
    )
    op.add_column("calls", sa.Column("ranked_at", sa.TIMESTAMP(timezone=True), nullable=True))
    op.add_column(
        "calls",
        sa.Column("wanted_skills", sa.ARRAY(sa.Text()), nullable=False, server_default="{}"),
    )
    op.add_column(
        "calls",
        sa.Column(
            "preferred_id", sa.Uuid(), sa.ForeignKey("staff.id", name="fk_calls_preferred_id")
        ),
    )
    op.add_column(
        "calls",
        sa.Column("excluded_ids", sa.ARRAY(sa.Uuid()), nullable=False, server_default="{}"),
    )
    op.execute("""
        CREATE FUNCTION rank_call() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          NEW.ranked_at := NEW.queued_at - make_interval(secs => NEW.priority);
          RETURN NEW;
        END $$
    """)
    op.execute(
        "CREATE TRIGGER rank BEFORE INSERT OR UPDATE OF queued_at, priority ON calls"
        " FOR EACH ROW EXECUTE FUNCTION rank_call()"
    )
    op.execute(
        "UPDATE calls SET ranked_at = queued_at - make_interval(secs => priority)"
        " WHERE state <> 'ended'"
    )
    op.create_index(
        "ix_calls_waiting",
        "calls",
        ["line_id", "language", "ranked_at", "id"],
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_calls_in_danger",
        "calls",
        ["ranked_at"],
        postgresql_where=sa.text("danger AND state IN ('queued', 'offered')"),
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER rank ON calls")
    op.execute("DROP FUNCTION rank_call()")
    for index in ("ix_calls_in_danger", "ix_calls_waiting"):
        op.drop_index(index, "calls")
    for column in ("excluded_ids", "preferred_id", "wanted_skills", "ranked_at"):
        op.drop_column("calls", column)
    op.drop_column("staff", "training")
    op.drop_column("lines", "plan")
