"""`helpline audit log`: who did or read what, as the page of the log shows it."""

import json
import sys
from datetime import datetime
from typing import Annotated

import typer

from app.cli.running import run_verb
from app.errors import Invalid
from app.people import finding
from app.people.log_search import Sought, search_log
from app.staff.log_checks.beginnings import beginning_of
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry
from app.work import Work

_DAY = ["%Y-%m-%d"]


def read_log(
    person: Annotated[str, typer.Option(help="only acts of this account, by name")] = "",
    kind: Annotated[str, typer.Option(help="only acts of this kind, such as line_plan_set")] = "",
    subject: Annotated[
        str, typer.Option(help="only about this: a name, a code, or an id as the log has it")
    ] = "",
    since: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="from this day on, of the helpline")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="to the end of this day, of the helpline")
    ] = None,
    before: Annotated[int | None, typer.Option(help="only entries before this number")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
) -> None:
    """Print the log of people's acts, newest first, a line of JSON each. The reading is logged."""

    async def verb(work: Work) -> list[AuditEntry]:
        if (begins := await beginning_of(work.session)) is not None:
            told = f"The log begins on {begins.at.isoformat()}: earlier entries were erased"
            print(f"{told} after {begins.days} days.", file=sys.stderr)
        sought = Sought(
            actor=str((await finding.person_named(work, person)).id) if person else "",
            action=_kind(kind),
            subject=subject,
            since=since.date() if since else None,
            until=until.date() if until else None,
        )
        return await search_log(work, sought, before=before, limit=limit)

    for one in run_verb(verb):
        said = {"id": one.id, "at": one.at.isoformat(), "actor": one.actor, "action": one.action}
        print(json.dumps({**said, "subject": one.subject, "detail": one.detail}))


def _kind(kind: str) -> str:
    """Return the kind of an act. Raises Invalid: an unknown one would find nothing."""
    if kind and kind not in list(AuditLog):
        raise Invalid("There is no kind of act '%(kind)s'.", kind=kind[:60])
    return kind
