"""Earlier versions of what a line says, so that a change can be taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "earlier_prompts",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("line_id", sa.Uuid, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("audio", sa.LargeBinary),
        sa.Column("audio_type", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_earlier_prompts"),
        sa.ForeignKeyConstraint(
            ["line_id"],
            ["lines.id"],
            name="fk_earlier_prompts_line_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "uq_earlier_prompts",
        "earlier_prompts",
        ["line_id", "language", "key", "number"],
        unique=True,
    )
