"""`helpline dialling …`: which numbers are dialled, and how many."""

from typing import Annotated

import typer

from app.cli.running import parts_of, run_verb
from app.dialling import outward
from app.dialling.minutes import minutes
from app.dialling.rules import NumberKind
from app.people import dialling
from app.people.dialling import RuleChanges
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="Which numbers are dialled, and how many.")


@app.command("show")
def show() -> None:
    """Show the rules, what went out, and whose number is not dialled."""

    async def verb(work: Work) -> None:
        rules = await outward.read_rules(work)
        (hour, day), up = await outward.volume(work), await minutes(work)
        print(f"home\t{','.join(rules.home)}")
        for name, value in dialling.values_of(rules).items():
            print(f"{name}\t{','.join(value) if isinstance(value, list) else value}")
        print(f"went out\t{hour} in the last hour, {day} in the last day")
        print(f"minutes\t{up[0]} in the last hour, {up[1]} in the last day")
        print(f"not dialled\t{', '.join(await dialling.not_dialled(work, rules))}")

    run_verb(verb)


@app.command("set")
def set_rules(
    countries: Annotated[
        str | None, typer.Option(help="HR,BA; '' means those of the lines only")
    ] = None,
    kinds: Annotated[str | None, typer.Option(help=", ".join(NumberKind))] = None,
    person_hour: Annotated[int | None, typer.Option(help="for one person in an hour")] = None,
    person_day: Annotated[int | None, typer.Option(help="for one person in a day")] = None,
    alarm_hour: Annotated[
        int | None, typer.Option(help="an alarm from this many in an hour")
    ] = None,
    alarm_day: Annotated[int | None, typer.Option(help="an alarm from this many in a day")] = None,
    minutes_hour: Annotated[
        int | None, typer.Option(help="an alarm from this many minutes in an hour")
    ] = None,
    minutes_day: Annotated[
        int | None, typer.Option(help="an alarm from this many minutes in a day")
    ] = None,
) -> None:
    """Change the rules; options that are left out stay as they are."""
    changes = RuleChanges(
        countries=None if countries is None else parts_of(countries),
        kinds=None if kinds is None else parts_of(kinds),
        person_hour=person_hour,
        person_day=person_day,
        alarm_hour=alarm_hour,
        alarm_day=alarm_day,
        minutes_hour=minutes_hour,
        minutes_day=minutes_day,
    )
    run_verb(lambda work: dialling.change(work, changes))
