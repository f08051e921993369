"""`helpline staff …`: what a person hands over when they leave, and their return."""

from typing import Annotated

import typer

from app.administration import still_open
from app.cli.running import run_verb
from app.cli.staff import ways_in
from app.people import finding, leaving, links
from app.referrals.directory import leavers
from app.routing.rota import changes, roster
from app.routing.rota.shifts import ALWAYS_UNTIL, Place
from app.staff.models import Staff
from app.work import Work

app = typer.Typer()
Knowingly = Annotated[
    bool,
    typer.Option(
        "--knowingly", help="leave uncovered the duty for which the colleague is not free"
    ),
]


async def handed_lines(work: Work, handed: leaving.HandedOver, person: Staff) -> list[str]:
    """Return what was handed over, what stays uncovered, what others keep, and what of a person who
    has left is still open, one a line."""
    zone = await roster.home_zone(work)
    names = {one.id: one.name for one in await changes.people_of_rota(work)}
    on_call = [] if person.active else await leavers.to_confirm(work)

    def line(said: str, place: Place, name: str) -> str:
        ends = f"{place.end.astimezone(zone):%Y-%m-%dT%H:%M}" if place.end < ALWAYS_UNTIL else "-"
        return f"{said}: {place.start.astimezone(zone):%Y-%m-%dT%H:%M} {ends}{name}"

    return [
        *(f"{kind.value}: {number}" for kind, number in handed.given.items()),
        *(line("uncovered", one, "") for one in handed.uncovered),
        *(line("kept", one, f" {names[one.counsellor_id]}") for one in handed.kept),
        *await open_lines(work, person),
        *(f"check that it is not theirs: {code}" for code, _name in on_call),
    ]


async def open_lines(work: Work, person: Staff) -> list[str]:
    """Return what is open of a person who has left or lost the role at the provider, one a line."""
    left = await still_open.of(work, person)
    return [
        *(f"still in the directory: {code}" for code in left.entries),
        *(f"perhaps still in the directory: {code}" for code in left.perhaps),
        *(f"still the partner of: {name}" for name in left.lines),
        *(f"perhaps still the partner of: {name}" for name in left.perhaps_lines),
        *(f"token that they made: {one.name}" for one in left.tokens),
        *(f"wallboard that they made: {one.name}" for one in left.wallboards),
        *(f"without a partner, which was theirs: {one.name}" for one in left.without_partner),
    ]


@app.command("deactivate")
def deactivate(
    name: str,
    to: Annotated[str, typer.Option(help="the colleague who gets what the person holds")] = "",
    uncovered: Annotated[
        bool, typer.Option("--uncovered", help="leave the shifts uncovered")
    ] = False,
    knowingly: Knowingly = False,
) -> None:
    """Hand over what a person holds and deactivate the account: all access ends at once."""

    async def verb(work: Work) -> list[str]:
        person = await finding.person_named(work, name)
        plan = leaving.shifts_uncovered() if uncovered else {}
        if to:
            colleague = await finding.person_named(work, to)
            plan = leaving.everything_to(colleague.id, uncovered=uncovered)
        handed = await leaving.deactivate(work, person.id, plan, by=None, knowingly=knowingly)
        return await handed_lines(work, handed, person)

    for line in run_verb(verb):
        print(line)


@app.command("hand-over")
def hand_over(
    name: str,
    to: Annotated[str, typer.Option(help="the colleague who gets what the person holds")],
    uncovered: Annotated[
        bool, typer.Option("--uncovered", help="leave the shifts uncovered")
    ] = False,
    knowingly: Knowingly = False,
) -> None:
    """Hand over what a person holds to a colleague; the person stays."""

    async def verb(work: Work) -> list[str]:
        person, colleague = [await finding.person_named(work, one) for one in (name, to)]
        plan = leaving.everything_to(colleague.id, uncovered=uncovered)
        handed = await leaving.hand_over(work, person.id, plan, by=None, knowingly=knowingly)
        return await handed_lines(work, handed, person)

    for line in run_verb(verb):
        print(line)


@app.command("reactivate")
def reactivate(
    name: str,
    by_mail: Annotated[bool, typer.Option("--mail", help="send the link to the person")] = False,
) -> None:
    """Make an account active again, and print the link by which its person chooses a password."""

    async def verb(work: Work) -> str | None:
        person = await finding.person_named(work, name)
        await leaving.reactivate(work, person.id, by=None)
        return await links.make_link(work, person.id, by=None, by_mail=by_mail)

    ways_in.print_link(run_verb(verb))
