"""The rota: working times of people, proposed rotas, and weeks that are kept as templates."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
# Written before 0015, and merged after it.
down_revision = "0015"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
LAYERS = "layer IN ('primary', 'backup', 'supervisor', 'on_call')"


def _working_times() -> None:
    op.create_table(
        "working_times",
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("available", JSONB),
        sa.Column("changed_by", sa.Uuid),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("staff_id", name="pk_working_times"),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name="fk_working_times_staff_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["changed_by"], ["staff.id"], name="fk_working_times_changed_by"),
        sa.CheckConstraint("minutes >= 0 AND minutes <= 10080", name="ck_working_times_minutes"),
    )


def _proposals() -> None:
    op.create_table(
        "rota_proposals",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("first_on", sa.Date, nullable=False),
        sa.Column("weeks", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("made_by", sa.Uuid),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("ready_at", INSTANT),
        sa.Column("decided_at", INSTANT),
        sa.Column("stopped", sa.Boolean, nullable=False, server_default="false"),
        sa.Column("uncovered", JSONB, nullable=False, server_default="[]"),
        sa.PrimaryKeyConstraint("id", name="pk_rota_proposals"),
        sa.ForeignKeyConstraint(["made_by"], ["staff.id"], name="fk_rota_proposals_made_by"),
        sa.CheckConstraint(
            "state IN ('asked', 'ready', 'decided', 'failed')", name="ck_rota_proposals_state"
        ),
        sa.CheckConstraint("weeks >= 1 AND weeks <= 4", name="ck_rota_proposals_weeks"),
    )
    # Of two planners who ask at once the second is told.
    op.create_index(
        "uq_rota_proposals_open",
        "rota_proposals",
        [sa.text("(true)")],
        unique=True,
        postgresql_where=sa.text("state IN ('asked', 'ready')"),
    )
    op.create_table(
        "proposed_duties",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("proposal_id", sa.Uuid, nullable=False),
        sa.Column("counsellor_id", sa.Uuid, nullable=False),
        sa.Column("from_at", INSTANT, nullable=False),
        sa.Column("until_at", INSTANT, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="proposed"),
        sa.PrimaryKeyConstraint("id", name="pk_proposed_duties"),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["rota_proposals.id"],
            name="fk_proposed_duties_proposal_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["counsellor_id"],
            ["staff.id"],
            name="fk_proposed_duties_counsellor_id",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'accepted', 'discarded')", name="ck_proposed_duties_state"
        ),
        sa.CheckConstraint("from_at < until_at", name="ck_proposed_duties_until_at"),
    )
    op.create_index("ix_proposed_duties_proposal_id", "proposed_duties", ["proposal_id"])


def _templates() -> None:
    op.create_table(
        "week_templates",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("made_by", sa.Uuid),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_week_templates"),
        sa.UniqueConstraint("name", name="uq_week_templates_name"),
        sa.ForeignKeyConstraint(["made_by"], ["staff.id"], name="fk_week_templates_made_by"),
    )
    op.create_table(
        "week_template_duties",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("template_id", sa.Uuid, nullable=False),
        sa.Column("counsellor_id", sa.Uuid, nullable=False),
        sa.Column("from_minute", sa.Integer, nullable=False),
        sa.Column("until_minute", sa.Integer, nullable=False),
        sa.Column("layer", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_week_template_duties"),
        sa.ForeignKeyConstraint(
            ["template_id"],
            ["week_templates.id"],
            name="fk_week_template_duties_template_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["counsellor_id"],
            ["staff.id"],
            name="fk_week_template_duties_counsellor_id",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(LAYERS, name="ck_week_template_duties_layer"),
        sa.CheckConstraint(
            "from_minute >= 0 AND from_minute < 10080", name="ck_week_template_duties_from_minute"
        ),
        sa.CheckConstraint(
            "until_minute > from_minute", name="ck_week_template_duties_until_minute"
        ),
    )
    op.create_index("ix_week_template_duties_template_id", "week_template_duties", ["template_id"])


def upgrade() -> None:
    _working_times()
    _proposals()
    _templates()
