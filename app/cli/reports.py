"""`helpline report …`: reports that are sent, figures that are published, files that wait."""

from typing import Annotated
from uuid import UUID

import typer

from app.cli.running import run_verb
from app.staff.roles import Role
from app.statistics.exports import requested
from app.statistics.published import release
from app.statistics.reports import sending
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="Reports, published figures, files that wait.")


@app.command("schedules")
def list_schedules() -> None:
    """List the reports that are sent: id, report, how often, to which role, the next day, the
    language; `-` is that of each reader."""
    for one in run_verb(sending.schedules):
        told = (one.id, one.report, one.every, one.role, one.next_on, one.language or "-")
        print("\t".join(map(str, told)))


@app.command("schedule")
def schedule(
    report: Annotated[str, typer.Argument(help="the name of a report; an unknown one lists all")],
    every: Annotated[str, typer.Option(help="day, week, month, quarter or year")],
    role: Annotated[Role, typer.Option(help="who gets it")],
    language: Annotated[
        str | None, typer.Option(help="such as sr; default: that of each reader's pages")
    ] = None,
) -> None:
    """Send a report from its next period on."""

    async def verb(work: Work) -> str:
        return str((await sending.schedule(work, report, every, role.value, language)).id)

    print(run_verb(verb))


@app.command("unschedule")
def unschedule(
    schedule_id: Annotated[UUID, typer.Argument(help="from `helpline report schedules`")],
) -> None:
    """Stop sending a report."""
    run_verb(lambda work: sending.unschedule(work, schedule_id))


@app.command("publish")
def publish(
    period: Annotated[str, typer.Argument(help="a period that is over, such as 2026 or 2026-Q3")],
) -> None:
    """Publish the figures of a period, rounded, for ever."""

    async def verb(work: Work) -> None:
        await release.publish(work, period.strip())

    run_verb(verb)


@app.command("files")
def list_files() -> None:
    """List the files about single persons that wait for a second person."""

    async def verb(work: Work) -> list[str]:
        return [
            f"{one.id}\t{one.what}\t{one.asked_at:%Y-%m-%d %H:%M}\t{name}"
            for one, name in await requested.waiting(work)
        ]

    for line in run_verb(verb):
        print(line)


@app.command("decide")
def decide(
    file: Annotated[UUID, typer.Argument(help="from `helpline report files`")],
    approve: Annotated[bool, typer.Option("--approve/--refuse", help="what is decided")],
) -> None:
    """Approve or refuse a file that a person asked for on the page. The job makes it."""

    async def verb(work: Work) -> None:
        await requested.decide(work, None, file, approve=approve)

    run_verb(verb)
