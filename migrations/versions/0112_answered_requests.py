"""Of a request about a person's data is known when the person asked, whether its report was opened,
who has taken it over, and with which request it was begun again."""

import sqlalchemy as sa
from alembic import op

revision = "0112"
down_revision = "0111"
branch_labels = None
depends_on = None

# The log says which reports were opened. Where it has begun later, each counts as opened.
OPENED = """
WITH readings AS (
  SELECT subject, min(at) AS at FROM audit_entries
  WHERE action = 'data_report_opened' GROUP BY subject
), known AS (
  SELECT r.id, o.at FROM data_requests AS r
  LEFT JOIN readings AS o ON o.subject = 'data_request:' || r.id
)
UPDATE data_requests AS r SET opened_at = coalesce(known.at, r.done_at) FROM known
WHERE known.id = r.id AND r.kind = 'access' AND r.state IN ('done', 'expired') AND (
  known.at IS NOT NULL
  OR r.done_at < (SELECT max(b.last_at) FROM log_beginnings AS b WHERE b.log = 'audit_entries'))
"""

# Of an earlier request it is not known with which one it was begun again. One whose month is over
# counts as closed, as if a person had withdrawn it; it can still be begun again. The log says of
# each that it was closed, and by what.
CLOSED = """
WITH closed AS (
  UPDATE data_requests SET state = 'withdrawn', counts = '{}', kept = '{}'
  WHERE kind = 'access' AND state IN ('failed', 'expired') AND opened_at IS NULL
  AND began_at + make_interval(months => 1 + CASE WHEN told_on IS NULL THEN 0
    ELSE extension_months END) < now()
  RETURNING id, kind
)
INSERT INTO audit_entries (at, actor, action, subject, detail, previous, hash)
SELECT now(), 'program', 'data_request_withdrawn', 'data_request:' || id,
  jsonb_build_object('kind', kind, 'migration', '0112'), '', ''
FROM closed ORDER BY id
"""


def upgrade() -> None:
    for column in (
        sa.Column("asked_on", sa.Date(), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_by", sa.Uuid(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replaced_by", sa.Uuid(), nullable=True),
    ):
        op.add_column("data_requests", column)
    for name, table in (("taken_by", "staff"), ("replaced_by", "data_requests")):
        op.create_foreign_key(
            op.f(f"fk_data_requests_{name}"), "data_requests", table, [name], ["id"]
        )
    for name, condition in (
        ("taken_by_another", "decided_by <> taken_by"),
        ("taken", "taken_at IS NOT NULL OR taken_by IS NULL"),
    ):
        op.create_check_constraint(op.f(f"ck_data_requests_{name}"), "data_requests", condition)
    op.execute(OPENED)
    op.execute(CLOSED)
