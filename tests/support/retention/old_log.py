"""A log with entries that are years old by the clock of the database."""

import json
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from app.retention.kinds import DataKind, least_days
from app.staff.log_checks.chains import verify_chains
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


CALL = "SELECT erase_log(:log, :up_to, :days, :run)"


async def broken(work: Work) -> dict[str, list[int | str]]:
    return {one.table: one.broken for one in await verify_chains(work.session) if one.broken}


async def call(work: Work, **values: Any) -> int | None:
    """Call the owner's function as the program can; what it refuses changes nothing. Without a rule
    of the test there is the shortest one."""
    await work.session.execute(text(SHORTEST))
    given = {"log": "audit_entries", "up_to": 2, "days": YEARS, "run": uuid4()} | values
    async with work.session.begin_nested():
        found: int | None = await work.session.scalar(text(CALL), given)
        return found
