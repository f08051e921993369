"""`helpline shift proposal …`, `template …`, `hours …`: planning from the command line."""

from collections import defaultdict
from datetime import date, datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import typer

from app.cli.running import run_verb
from app.errors import BadSettings, NotFound
from app.routing.rota import changes, copying, roster, templates, working_times
from app.routing.rota.planning_rows import RotaProposal
from app.routing.rota.proposals import proposals
from app.routing.rota.proposals.proposals import Choice, Uncovered
from app.routing.rota.shifts import first_instant
from app.staff import accounts
from app.staff.models import Staff
from app.work import Work

proposal = typer.Typer(no_args_is_help=True, help="A rota that is proposed; nothing is in force.")
template = typer.Typer(no_args_is_help=True, help="Weeks of duty that are kept under a name.")
hours = typer.Typer(no_args_is_help=True, help="Hours a week of people, and when they can work.")
Day = Annotated[str, typer.Argument(help="a day of the week, YYYY-MM-DD")]
Id = Annotated[UUID | None, typer.Option("--id", help="default: the one that is open, or the last")]
_Name = Annotated[str, typer.Option("--name", help="the part of one person")]
_Day = Annotated[str, typer.Option("--day", help="the part of one day, YYYY-MM-DD")]


async def person(work: Work, name: str) -> Staff:
    """Return the account of a name. Raises NotFound."""
    staff = await accounts.find_by_name(work.session, name)
    if staff is None:
        raise NotFound(f"There is no account {name!r}. Add it with: helpline staff add")
    return staff


def read_day(option: str, text: str) -> date:
    """Return a day that was typed. Raises BadSettings."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadSettings(f"{option} {text!r} is not a date. Write it like 2026-12-01.") from None


async def instants(work: Work, *walls: str) -> list[datetime]:
    """Return instants for times on the wall at the helpline."""
    zone = await roster.home_zone(work)
    return [first_instant(_wall(text), zone) for text in walls]


def _wall(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None or "T" not in text:
        raise BadSettings(f"{text!r} is not a time. Write it like 2026-12-01T08:00.")
    return found


def show_copied(done: copying.Copied) -> None:
    """Print what became of stretches that were put into a week."""
    print(f"{done.made} added, {done.there} there already, {len(done.left_out)} left out.")
    show_left_out(done.left_out)


def show_left_out(left_out: tuple[copying.LeftOut, ...]) -> None:
    for one in left_out:
        print(f"{one.place.start.isoformat()}\t{one.why}")


# -- proposals ---------------------------------------------------------------------------


@proposal.command("make")
def make(
    first: Annotated[str, typer.Argument(help="a day of the first week; default: next week")] = "",
    weeks: Annotated[int, typer.Option(min=1, max=proposals.MOST_WEEKS)] = 1,
) -> None:
    """Ask for a rota of coming weeks. The worker works it out; `show` says when it is ready."""
    day = read_day("FIRST", first) if first else None

    async def verb(work: Work) -> str:
        return str((await proposals.propose(work, None, day, weeks)).id)

    print(run_verb(verb))


@proposal.command("show")
def show(which: Id = None) -> None:
    """Show a proposal: its duty, one stretch a line, and what it could not cover."""

    async def verb(work: Work) -> list[str]:
        row, zone = await _proposal(work, which), await roster.home_zone(work)
        names = {one.id: one.name for one in await changes.people_of_rota(work)}
        lines = [f"{row.id}\tweek of {row.first_on}\t{row.weeks} weeks\t{row.state}"]
        for one in await proposals.duties_of(work, row):
            who = names.get(one.counsellor_id, str(one.counsellor_id))
            lines.append(f"{_span(one.from_at, one.until_at, zone)}\t{one.state}\t{who}")
        lines += [
            f"{_span(left.begins, left.ends, zone)}\t{_uncovered(left, names)}"
            for left in proposals.uncovered_of(row)
        ]
        if row.stopped:
            lines.append("The search ended at its time limit: there may be a better rota.")
        return lines

    for line in run_verb(verb):
        print(line)


def _span(begins: datetime, ends: datetime, zone: ZoneInfo) -> str:
    return "\t".join(f"{at.astimezone(zone):%Y-%m-%dT%H:%M}" for at in (begins, ends))


def _uncovered(left: Uncovered, names: dict[UUID, str]) -> str:
    about = f"{left.line}, {left.language}" if left.line else f"{left.short} short"
    about += " who can write" if left.writing else ""
    people = defaultdict(list)
    for who, bar in left.why:
        people[bar].append(names.get(who, str(who)))
    why = [f"{bar.replace('_', ' ')}: {', '.join(who)}" for bar, who in people.items()]
    return "\t".join(("uncovered", about, "; ".join(why)))


@proposal.command("accept")
def accept(which: Id = None, name: _Name = "", day: _Day = "") -> None:
    """Put a proposal, or a part of it, into the rota; list what no longer fits."""

    async def verb(work: Work) -> proposals.Accepted:
        row = await _proposal(work, which)
        return await proposals.accept(work, None, row.id, await _choice(work, name, day))

    done = run_verb(verb)
    print(f"{done.made} added, {len(done.left_out)} left out.")
    show_left_out(done.left_out)


@proposal.command("discard")
def discard(which: Id = None, name: _Name = "", day: _Day = "") -> None:
    """Discard a proposal, or a part of it."""

    async def verb(work: Work) -> int:
        row = await _proposal(work, which)
        return await proposals.discard(work, None, row.id, await _choice(work, name, day))

    print(f"{run_verb(verb)} discarded.")


async def _choice(work: Work, name: str, day: str) -> Choice:
    staff = await person(work, name) if name else None
    return Choice(staff.id if staff else None, read_day("--day", day) if day else None)


async def _proposal(work: Work, which: UUID | None) -> RotaProposal:
    row = await proposals.find(work, which) if which else await proposals.latest(work)
    if row is None:
        raise NotFound("No rota is proposed. Ask for one with: helpline shift proposal make")
    return row


# -- templates ---------------------------------------------------------------------------


@template.command("save")
def save_template(name: str, day: Day) -> None:
    """Save the duty of the week of a day under a name."""
    when = read_day("DAY", day)
    one = run_verb(lambda work: templates.save(work, None, name, when))
    print(f"{one.duties} stretches were saved.")


@template.command("put")
def put_template(name: str, day: Day) -> None:
    """Put a template on the week of a day; what cannot be added is listed."""
    when = read_day("DAY", day)

    async def verb(work: Work) -> copying.Copied:
        return await templates.put(work, None, (await templates.named(work, name)).id, when)

    show_copied(run_verb(verb))


@template.command("list")
def list_templates() -> None:
    """List the templates, and how many stretches each holds."""
    for one in run_verb(templates.all_templates):
        print(f"{one.row.name}\t{one.duties}")


@template.command("delete")
def delete_template(name: str) -> None:
    """Delete a template; duties that were added from it stay."""

    async def verb(work: Work) -> None:
        await templates.delete(work, None, (await templates.named(work, name)).id)

    run_verb(verb)


# -- working times -----------------------------------------------------------------------


@hours.command("set")
def set_hours(
    name: str,
    week: Annotated[float, typer.Argument(help="hours a week; 0: never proposed")],
    available: Annotated[
        list[str] | None,
        typer.Option(help='"MO 08:00-16:00, 18:00-22:00", once for each day; default: any time'),
    ] = None,
) -> None:
    """Write down how many hours a week a person works, and when they can."""
    days: dict[str, str] = {}
    for text in available or ():
        day, _, times = text.strip().partition(" ")
        days[day.upper()] = f"{days[day.upper()]}, {times}" if day.upper() in days else times

    async def verb(work: Work) -> None:
        times = working_times.read_available(working_times.read_days(days)) if days else None
        await working_times.set_times(work, None, (await person(work, name)).id, week, times)

    run_verb(verb)


@hours.command("list")
def list_hours() -> None:
    """List what is written down. For others the usual hours of proposal.yaml count."""

    async def verb(work: Work) -> list[str]:
        known = await working_times.all_times(work)
        return [
            "\t".join((one.name, f"{known[one.id].minutes / 60:g}", _when(known[one.id])))
            for one in await changes.people_of_rota(work)
            if one.id in known
        ]

    for line in run_verb(verb):
        print(line)


def _when(times: working_times.Times) -> str:
    if times.available is None:
        return "any time"
    return "; ".join(f"{day} {', '.join(one)}" for day, one in times.by_day().items() if one)
