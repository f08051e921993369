"""`helpline emergency …`: emergency access by two people, who ask and confirm on their pages."""

from uuid import UUID

import typer
from sqlalchemy import select

from app.cli.running import run_verb
from app.people.emergency import closing
from app.staff import accounts
from app.staff.emergency_rows import Emergency
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="Emergency access by two people.")


@app.command("list")
def list_emergencies() -> None:
    """List emergency accesses, newest first: id, kind, state, who asked, who confirmed."""

    async def verb(work: Work) -> list[str]:
        rows = list(
            await work.session.scalars(
                select(Emergency).order_by(Emergency.asked_at.desc()).limit(100)
            )
        )
        people = {one for row in rows for one in (row.asked_by, row.decided_by) if one}
        names = await accounts.names_of(work, people)
        return [
            "\t".join(
                (
                    str(row.id),
                    row.kind,
                    row.state,
                    names.get(row.asked_by, "-"),
                    names.get(row.decided_by, "-") if row.decided_by else "-",
                    "reviewed" if row.reviewed_at else "no review",
                )
            )
            for row in rows
        ]

    for line in run_verb(verb):
        print(line)


@app.command("end")
def end(emergency: UUID) -> None:
    """End an emergency access at once."""

    async def verb(work: Work) -> None:
        await closing.end(work, None, emergency)

    run_verb(verb)
