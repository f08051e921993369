"""`helpline wallboard …`: screens of aggregates at secret addresses."""

from typing import Annotated
from uuid import UUID

import typer

from app.cli.running import run_verb
from app.people import finding, wallboards
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="Screens of aggregates.")


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="where the screen hangs")],
    by: Annotated[str, typer.Option(help="the account in whose language it speaks")],
) -> None:
    """Make a wallboard and print its address; it is shown only once."""

    async def verb(work: Work) -> str:
        maker = await finding.person_named(work, by)
        return wallboards.address_of(work, await wallboards.make(work, maker, name))

    print(run_verb(verb))


@app.command("list")
def list_all() -> None:
    """List the wallboards whose address works: id, name, language, since when."""
    for one in run_verb(wallboards.in_use):
        print(f"{one.id}\t{one.name}\t{one.language}\t{one.made_at:%Y-%m-%d %H:%M}")


@app.command("withdraw")
def withdraw(wallboard: UUID) -> None:
    """Withdraw the address of a wallboard: its screen goes dark."""
    run_verb(lambda work: wallboards.withdraw(work, wallboard))
