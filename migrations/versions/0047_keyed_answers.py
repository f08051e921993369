"""What a caller answers by key is sealed: it is part of what a child told.

Nothing is in the field yet, so answers that stand in the open are dropped and not sealed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("call_questions", "answer")
    op.add_column("call_questions", sa.Column("answer_sealed", sa.LargeBinary()))
