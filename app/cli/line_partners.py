"""`helpline line partner ...`: new numbers of partners, which wait for a second person."""

from typing import Annotated

import typer

from app.cli.lines import line_of
from app.cli.running import run_verb
from app.routing import partners
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="New numbers of partners, which wait.")


@app.command("waiting")
def waiting() -> None:
    """List the new numbers of partners that wait for a second person."""

    async def verb(work: Work) -> list[str]:
        return [
            f"{one.row.asked_at:%Y-%m-%d %H:%M}  {one.line}  {one.row.before or '-'} -> "
            f"{one.row.number}  asked by {one.asked_by or one.row.asked_role}"
            f"{'  perhaps of a person who has left' if one.perhaps_of_leaver else ''}"
            f"{'  taken out if refused' if one.is_taken_out else ''}"
            for one in await partners.waiting(work, None)
        ]

    print("\n".join(run_verb(verb)) or "nothing waits")


@app.command("decide")
def decide(
    number: str,
    approve: Annotated[bool, typer.Option("--approve/--refuse")],
    knowingly: Annotated[
        bool,
        typer.Option("--knowingly", help="also if it is perhaps of a person who has left"),
    ] = False,
) -> None:
    """Approve or refuse the new number of the partner of a line. One that the line has, and that is
    in doubt, is taken out when it is refused."""

    async def verb(work: Work) -> bool:
        line = await line_of(work, number)
        found = await partners.waiting(work, None, line.id)
        if not found:
            raise partners.NothingWaits()
        request = found[0].row.id
        return await partners.decide(work, request, by=None, approve=approve, knowingly=knowingly)

    is_out = run_verb(verb)
    print("approved" if approve else "refused")
    if is_out:
        print("No caller is connected with this number any more.")
