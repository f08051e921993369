"""`helpline shift change …`: absences and swaps, and the answers to them."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer

from app.cli.rota.planning import instants, person
from app.cli.running import run_verb
from app.routing.rota import changes, roster
from app.work import Work

change = typer.Typer(no_args_is_help=True, help="Absences and swaps.")
_Wall = Annotated[str, typer.Argument(help="wall-clock time at the helpline, YYYY-MM-DDTHH:MM")]
_Reason = Annotated[str, typer.Option(help="why; colleagues do not see it")]
_Id = Annotated[UUID, typer.Argument(help="the id, from `helpline shift change list`")]


@change.command("list")
def list_changes(days: Annotated[int, typer.Option(min=1, max=400)] = 28) -> None:
    """List what is in force or asked for in the coming days: id, kind, state, who, from, until."""

    async def verb(work: Work) -> list[str]:
        zone = await roster.home_zone(work)
        names = {one.id: one.name for one in await changes.people_of_rota(work)}
        until = work.now + timedelta(days=days)
        return [
            "\t".join(
                (
                    str(one.id),
                    one.kind,
                    one.state,
                    names.get(one.counsellor_id, str(one.counsellor_id)),
                    names.get(one.instead_id, str(one.instead_id)) if one.instead_id else "-",
                    f"{one.from_at.astimezone(zone):%Y-%m-%dT%H:%M}",
                    f"{one.until_at.astimezone(zone):%Y-%m-%dT%H:%M}",
                )
            )
            for one in await changes.changes_between(work, work.now, until)
        ]

    for line in run_verb(verb):
        print(line)


@change.command("absence")
def absence(name: str, begins: _Wall, ends: _Wall, reason: _Reason = "") -> None:
    """Record that a person is absent; their duty in that time is uncovered."""

    async def verb(work: Work) -> str:
        start, end = await instants(work, begins, ends)
        staff = await person(work, name)
        return str((await changes.be_absent(work, None, staff.id, start, end, reason)).id)

    print(run_verb(verb))


@change.command("swap")
def swap(name: str, instead: str, begins: _Wall, ends: _Wall, reason: _Reason = "") -> None:
    """Let the colleague INSTEAD take over a stretch of a person's duty, in force at once."""

    async def verb(work: Work) -> str:
        start, end = await instants(work, begins, ends)
        staff, colleague = await person(work, name), await person(work, instead)
        made = await changes.swap(work, None, staff.id, colleague.id, start, end, reason)
        return str(made.id)

    print(run_verb(verb))


@change.command("answer")
def answer(
    change_id: _Id,
    agree: Annotated[bool, typer.Option("--agree/--refuse", help="what is answered")],
) -> None:
    """Answer a swap that a counsellor asked a colleague for."""
    run_verb(lambda work: changes.answer_swap(work, None, change_id, agree))


@change.command("withdraw")
def withdraw(change_id: _Id) -> None:
    """Withdraw an absence, a swap or an extra stretch."""
    run_verb(lambda work: changes.withdraw(work, None, change_id))
