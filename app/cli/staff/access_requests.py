"""`helpline staff …`: accounts that wait for a second person."""

from typing import Annotated

import typer

from app.cli.running import run_verb
from app.people import finding
from app.people.approval import deciding
from app.work import Work

app = typer.Typer()


@app.command("access-requests")
def access_requests() -> None:
    """List the accounts that would read children's records and wait for a second person."""

    async def verb(work: Work) -> list[str]:
        return [
            f"{one.row.asked_at:%Y-%m-%d %H:%M}  {one.person.name}  {one.row.kind}  "
            f"{one.row.role or one.person.role}  asked by {one.asked_by or one.row.asked_role}"
            for one in await deciding.waiting(work, None)
        ]

    print("\n".join(run_verb(verb)) or "nothing waits")


@app.command("decide-access")
def decide_access(
    name: str,
    approve: Annotated[bool, typer.Option("--approve/--refuse")],
) -> None:
    """Approve or refuse a pending change of an account."""

    async def verb(work: Work) -> None:
        person = await finding.person_named(work, name)
        found = await deciding.waiting(work, None, person.id)
        if not found:
            raise deciding.NothingWaits()
        await deciding.decide(work, found[0].row.id, by=None, approve=approve)

    run_verb(verb)
    print("approved" if approve else "refused")
