"""Jobs that wait are called as their area is called now."""

from alembic import op

revision = "0118"
down_revision = "0117"
branch_labels = None
depends_on = None

RENAMED = """
UPDATE procrastinate_jobs SET task_name = 'administration:' || split_part(task_name, ':', 2)
WHERE task_name IN (
  'country:undo_settings', 'country:watch_leaver', 'country:tell_leads_elsewhere'
) AND status IN ('todo', 'doing')
"""


def upgrade() -> None:
    op.execute(RENAMED)
