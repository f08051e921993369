"""`helpline shift …`: the rota from the command line."""

import sys
from datetime import date, time
from pathlib import Path
from typing import Annotated

import typer

from app.cli.running import run_verb
from app.errors import BadSettings, NotFound
from app.routing.rota import changes
from app.routing.rota.roster import add_shift
from app.routing.rota.shifts import Layer, OnHolidays
from app.staff import accounts
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="The rota.")


@app.command("add")
def add(
    name: str,
    always: Annotated[bool, typer.Option("--always")] = False,
    rrule: Annotated[str | None, typer.Option(help="FREQ=WEEKLY;BYDAY=MO,TU,WE")] = None,
    from_: Annotated[str, typer.Option("--from", help="wall-clock time, HH:MM")] = "00:00",
    until: Annotated[str, typer.Option("--until", help="wall-clock time, HH:MM")] = "24:00",
    timezone: Annotated[str, typer.Option()] = "Europe/Belgrade",
    first_on: Annotated[str | None, typer.Option(help="YYYY-MM-DD; default: today")] = None,
    last_on: Annotated[str | None, typer.Option(help="YYYY-MM-DD")] = None,
    layer: Annotated[
        Layer, typer.Option(help="whether calls are offered at once or as the wait grows")
    ] = Layer.PRIMARY,
    on_holidays: Annotated[
        OnHolidays, typer.Option(help="what happens to the shift on a public holiday")
    ] = OnHolidays.WORKS,
) -> None:
    """Put a person on the rota: always, or between two times on the days of a rule."""
    if always == (rrule is not None):
        raise BadSettings("Give either --always or --rrule.")
    start, end = _minutes("--from", from_), _minutes("--until", until)
    length = end - start if end > start else end - start + 1440

    async def verb(work: Work) -> str:
        staff = await accounts.find_by_name(work.session, name)
        if staff is None:
            raise NotFound(f"There is no account {name!r}. Add it with: helpline staff add")
        shift = await add_shift(
            work,
            staff,
            recurrence=rrule,
            starts_at=time(start // 60 % 24, start % 60),
            minutes=length,
            timezone=timezone,
            first_on=_day("--first-on", first_on),
            last_on=_day("--last-on", last_on),
            layer=layer,
            on_holidays=on_holidays,
        )
        return str(shift.id)

    print(run_verb(verb))


@app.command("import")
def take_in(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """Import a rota as iCalendar: the whole file, or nothing."""
    from app.routing.rota import calendars

    shifts, changed = run_verb(lambda work: calendars.import_rota(work, file.read_bytes()))
    print(f"{shifts} shifts and {changed} changes were imported.")


@app.command("export")
def give_out(
    output: Annotated[Path | None, typer.Option(help="default: standard output")] = None,
) -> None:
    """Export the rota as iCalendar."""
    from app.routing.rota import calendars

    content = run_verb(calendars.export_rota)
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        output.write_bytes(content)


@app.command("holiday")
def holiday(
    day: Annotated[str, typer.Argument(help="YYYY-MM-DD")],
    name: str,
    works: Annotated[
        bool, typer.Option("--works", help="a public holiday on which we work as usual")
    ] = False,
) -> None:
    """Mark a day as a holiday, or a public holiday as an ordinary day."""
    when = _day("DAY", day)
    assert when is not None
    run_verb(lambda work: changes.set_holiday(work, when, name, free=not works))


def _minutes(option: str, text: str) -> int:
    hours, _, minutes = text.partition(":")
    if hours.isdigit() and minutes.isdigit() and len(minutes) == 2:
        total = int(hours) * 60 + int(minutes)
        if total <= 1440 and int(minutes) < 60:
            return total
    raise BadSettings(f"{option} {text!r} is not a time of day. Write it like 22:00.")


def _day(option: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadSettings(f"{option} {text!r} is not a date. Write it like 2026-12-01.") from None
