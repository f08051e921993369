"""`helpline shift …`: the rota from the command line."""

import sys
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from app.cli.rota import changes as rota_changes
from app.cli.rota import planning
from app.cli.rota.planning import instants, person, read_day, show_copied
from app.cli.running import run_verb
from app.errors import BadSettings
from app.routing.rota import (
    changes,
    copying,
    ending_shifts,
    giving,
    holidays,
    later,
    on_duty,
    open_shifts,
    roster,
    stretches,
)
from app.routing.rota.shifts import ALWAYS_UNTIL, Layer, OnHolidays, Place, first_instant
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="The rota.")
duty = typer.Typer(no_args_is_help=True, help="Single stretches of duty.")
app.add_typer(duty, name="duty")
offered = typer.Typer(no_args_is_help=True, help="Open shifts, for which people sign up.")
app.add_typer(offered, name="open")
app.add_typer(planning.proposal, name="proposal")
app.add_typer(planning.template, name="template")
app.add_typer(planning.hours, name="hours")
app.add_typer(rota_changes.change, name="change")
Wall = Annotated[str, typer.Argument(help="wall-clock time at the helpline, YYYY-MM-DDTHH:MM")]
Later = Annotated[
    bool, typer.Option("--later", help="of a duty that repeats: this day and all later ones")
]


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
        shift = await roster.add_shift(
            work,
            await person(work, name),
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


@app.command("list")
def list_shifts(
    name: Annotated[str, typer.Argument(help="only the shifts of a person")] = "",
) -> None:
    """List the shifts: id, person, rule, times, days left out."""

    async def verb(work: Work) -> list[str]:
        return [
            "\t".join(
                (
                    str(one.id),
                    staff.name,
                    one.recurrence or "always",
                    f"{one.starts_at:%H:%M} for {one.minutes} minutes, {one.timezone}",
                    f"{one.first_on} to {one.last_on or '-'}",
                    one.layer,
                    ",".join(day.isoformat() for day in one.except_on) or "-",
                )
            )
            for staff in await changes.people_of_rota(work)
            if not name or staff.name == name
            for one in await giving.shifts_ahead(work, staff)
        ]

    for line in run_verb(verb):
        print(line)


@app.command("end")
def end_shift(
    shift: Annotated[UUID, typer.Argument(help="the id, from `helpline shift list`")],
    last_on: Annotated[
        str | None, typer.Option(help="the last day, YYYY-MM-DD; default: it ends now")
    ] = None,
) -> None:
    """End a shift after a last day."""
    last = _day("--last-on", last_on)
    run_verb(lambda work: ending_shifts.end_shift(work, shift, last))


@app.command("leave-out")
def leave_out(
    shift: Annotated[UUID, typer.Argument(help="the id, from `helpline shift list`")],
    day: Annotated[str, typer.Argument(help="YYYY-MM-DD")],
) -> None:
    """Leave one day out of a shift."""
    when = read_day("DAY", day)
    run_verb(lambda work: ending_shifts.leave_out(work, shift, when))


@duty.command("list")
def list_duties(
    first: Annotated[str, typer.Argument(help="YYYY-MM-DD; default: today")] = "",
    days: Annotated[int, typer.Option(min=1, max=100)] = 7,
) -> None:
    """List who is on duty, one stretch a line."""
    day = _day("FIRST", first or None)

    async def verb(work: Work) -> list[str]:
        zone = await roster.home_zone(work)
        begins = day or work.now.astimezone(zone).date()
        since, until = (
            first_instant(datetime.combine(begins + timedelta(days=n), time()), zone)
            for n in (0, days)
        )
        names = {one.id: one.name for one in await changes.people_of_rota(work)}
        return [
            "\t".join(
                (
                    f"{one.start.astimezone(zone):%Y-%m-%dT%H:%M}",
                    f"{one.end.astimezone(zone):%Y-%m-%dT%H:%M}" if one.end < ALWAYS_UNTIL else "",
                    one.layer,
                    names.get(one.counsellor_id, str(one.counsellor_id)),
                )
            )
            for one in on_duty.stretches(await roster.rota_of(work), since, until)
        ]

    for line in run_verb(verb):
        print(line)


@duty.command("add")
def add_duty(
    name: str,
    begins: Wall,
    ends: Wall,
    layer: Layer = Layer.PRIMARY,
    reason: Annotated[str, typer.Option(help="why; colleagues do not see it")] = "",
) -> None:
    """Add one stretch of duty."""

    async def verb(work: Work) -> str:
        start, end = await instants(work, begins, ends)
        place = Place((await person(work, name)).id, start, end, layer)
        return str((await stretches.add(work, None, place, reason)).id)

    print(run_verb(verb))


@duty.command("move")
def move_duty(
    name: str,
    begins: Wall,
    to: Annotated[str, typer.Option(help="the colleague who works it instead")] = "",
    from_: Annotated[str, typer.Option("--from", help="its new beginning")] = "",
    until: Annotated[str, typer.Option(help="its new end")] = "",
    layer: Annotated[Layer | None, typer.Option(help="its new kind")] = None,
    all_later: Later = False,
) -> None:
    """Move the stretch of duty that begins at a time; without --until it keeps its length."""

    async def verb(work: Work) -> None:
        staff = await person(work, name)
        (start,) = await instants(work, begins)
        was = await stretches.stretch_at(work, staff, start)
        starts = (await instants(work, from_))[0] if from_ else was.start
        place = Place(
            (await person(work, to)).id if to else staff.id,
            starts,
            (await instants(work, until))[0] if until else was.end + (starts - was.start),
            layer or was.layer,
        )
        await (later if all_later else stretches).move(work, None, was, place)

    run_verb(verb)


@duty.command("remove")
def remove_duty(name: str, begins: Wall, all_later: Later = False) -> None:
    """Remove the stretch of duty that begins at a time; one that has begun ends now."""

    async def verb(work: Work) -> None:
        (start,) = await instants(work, begins)
        was = await stretches.stretch_at(work, await person(work, name), start)
        await (later if all_later else stretches).remove(work, None, was)

    run_verb(verb)


@offered.command("add")
def add_open_shift(
    begins: Wall,
    ends: Wall,
    places: Annotated[int, typer.Option(help="how many people can sign up")] = 1,
    layer: Layer = Layer.PRIMARY,
    language: Annotated[str | None, typer.Option(help="only for people who speak it")] = None,
    note: Annotated[str, typer.Option(help="all who see the rota read it")] = "",
) -> None:
    """Offer a shift for which people sign up."""

    async def verb(work: Work) -> str:
        start, end = await instants(work, begins, ends)
        row = await open_shifts.open_shift(
            work, None, start, end, layer=layer, places=places, language=language, note=note
        )
        return str(row.id)

    print(run_verb(verb))


@offered.command("list")
def list_open_shifts(days: Annotated[int, typer.Option(min=1, max=100)] = 28) -> None:
    """List the open shifts of the coming days, and who has signed up."""

    async def verb(work: Work) -> list[str]:
        zone = await roster.home_zone(work)
        names = {one.id: one.name for one in await changes.people_of_rota(work)}
        return [
            "\t".join(
                (
                    str(one.row.id),
                    f"{one.row.from_at.astimezone(zone):%Y-%m-%dT%H:%M}",
                    f"{one.row.until_at.astimezone(zone):%Y-%m-%dT%H:%M}",
                    f"{len(one.taken_by)}/{one.row.places}",
                    ", ".join(names.get(who, str(who)) for who in one.taken_by),
                )
            )
            for one in await open_shifts.offered_between(
                work, work.now, work.now + timedelta(days=days)
            )
        ]

    for line in run_verb(verb):
        print(line)


@offered.command("sign-up")
def sign_up(name: str, open_id: UUID) -> None:
    """Sign a person up for an open shift."""

    async def verb(work: Work) -> None:
        await open_shifts.sign_up(work, await person(work, name), open_id)

    run_verb(verb)


@offered.command("sign-off")
def sign_off(name: str, open_id: UUID) -> None:
    """Take the sign-up of a person back."""

    async def verb(work: Work) -> None:
        await open_shifts.sign_off(work, await person(work, name), open_id)

    run_verb(verb)


@offered.command("withdraw")
def withdraw_open_shift(open_id: UUID) -> None:
    """Withdraw an open shift; those who have signed up keep their duty."""
    run_verb(lambda work: open_shifts.withdraw(work, None, open_id))


@app.command("copy-week")
def copy_week(
    source: Annotated[str, typer.Argument(help="a day of the week to copy, YYYY-MM-DD")],
    target: Annotated[str, typer.Argument(help="a day of the week to copy to, YYYY-MM-DD")],
) -> None:
    """Copy the duty of a week into another; what cannot be copied is listed."""
    first, second = read_day("SOURCE", source), read_day("TARGET", target)
    show_copied(run_verb(lambda work: copying.copy_week(work, None, first, second)))


@app.command("import")
def import_rota(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """Import a rota as iCalendar: the whole file, or nothing."""
    from app.routing.rota import calendar_import

    shifts, changed = run_verb(lambda work: calendar_import.import_rota(work, file.read_bytes()))
    print(f"{shifts} shifts and {changed} changes were imported.")


@app.command("export")
def export_rota(
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
    when = read_day("DAY", day)
    run_verb(lambda work: holidays.set_holiday(work, when, name, free=not works))


@app.command("holiday-clear")
def clear_holiday(day: Annotated[str, typer.Argument(help="YYYY-MM-DD")]) -> None:
    """Remove our own rule for a day; the country's calendar applies again."""
    when = read_day("DAY", day)
    run_verb(lambda work: holidays.clear_holiday(work, when))


def _minutes(option: str, text: str) -> int:
    hours, _, minutes = text.partition(":")
    if hours.isdigit() and minutes.isdigit() and len(minutes) == 2:
        total = int(hours) * 60 + int(minutes)
        if total <= 1440 and int(minutes) < 60:
            return total
    raise BadSettings(f"{option} {text!r} is not a time of day. Write it like 22:00.")


def _day(option: str, text: str | None) -> date | None:
    return read_day(option, text) if text is not None else None
