"""`helpline audit log`: who did or read what, as the page of the log shows it."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from app.cli.running import run_verb
from app.errors import Invalid
from app.people import finding
from app.people.log_names import subjects_named
from app.staff.audit import Wanted, list_entries, write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry
from app.work import Work


def read_log(
    person: Annotated[str, typer.Option(help="only acts of this account, by name")] = "",
    kind: Annotated[str, typer.Option(help="only acts of this kind, such as line_plan_set")] = "",
    subject: Annotated[
        str, typer.Option(help="only about this: a name, a code, or an id as the log has it")
    ] = "",
    since: Annotated[datetime | None, typer.Option(help="from this day on, UTC")] = None,
    until: Annotated[datetime | None, typer.Option(help="before this day, UTC")] = None,
    before: Annotated[int | None, typer.Option(help="only entries before this number")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
) -> None:
    """Print the log of people's acts, newest first, a line of JSON each. The reading is logged."""

    async def verb(work: Work) -> list[AuditEntry]:
        wanted = Wanted(
            actor=str((await finding.person_named(work, person)).id) if person else "",
            action=_kind(kind),
            subject=subject,
            also=await subjects_named(work, subject) if subject else (),
            since=since.replace(tzinfo=UTC) if since else None,
            until=until.replace(tzinfo=UTC) if until else None,
        )
        write_entry(work, AuditLog.AUDIT_LOG_READ, "audit_entries")
        return await list_entries(work, wanted, before=before, limit=limit)

    for one in run_verb(verb):
        said = {"id": one.id, "at": one.at.isoformat(), "actor": one.actor, "action": one.action}
        print(json.dumps({**said, "subject": one.subject, "detail": one.detail}))


def _kind(kind: str) -> str:
    """Return the kind of an act. Raises Invalid: an unknown one would find nothing."""
    if kind and kind not in list(AuditLog):
        raise Invalid("There is no kind of act '%(kind)s'.", kind=kind[:60])
    return kind
