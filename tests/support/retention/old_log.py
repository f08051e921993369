"""A log with entries that are years old by the clock of the database."""

import json
from typing import Any

from sqlalchemy import text

from app.retention.kinds import DataKind, least_days
from app.work import Work

# The shortest rule of retention that a log can have.
YEARS = least_days(DataKind.LOG)
SHORTEST = (
    f"INSERT INTO retention_rules (kind, decided_by, days) VALUES ('log', 'helpline', {YEARS})"
    " ON CONFLICT DO NOTHING"
)
_ADD = text("""
INSERT INTO audit_entries (at, actor, action, subject, detail, previous, hash)
VALUES (now() - make_interval(days => :days), :actor, :action, :subject, CAST(:detail AS jsonb),
  '', '')
""")


async def entry(
    work: Work,
    days: int,
    *,
    action: str = "records_listed",
    subject: str = "contacts",
    actor: str = "program",
    **detail: Any,
) -> None:
    """Append an entry of this many days ago."""
    values = {"days": days, "actor": actor, "action": action, "subject": subject}
    await work.session.execute(_ADD, {**values, "detail": json.dumps(detail)})


async def old_log(work: Work, *days: int) -> None:
    for one in days:
        await entry(work, one)


async def ids(work: Work) -> list[int]:
    return list(await work.session.scalars(text("SELECT id FROM audit_entries ORDER BY id")))
