"""`helpline settings …`: times and limits that the helpline decides itself."""

import typer

from app.administration import own_settings
from app.calls.lines import number_setup
from app.cli.running import run_verb
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="Times and limits that the helpline decides.")


@app.command("show")
def show() -> None:
    """Show each setting, what holds, and who says so: the helpline, its server or its country."""

    async def verb(work: Work) -> None:
        for one in (await own_settings.read_own(work)).settings:
            theirs = "country" if one.of_country else "server"
            who = "helpline" if one.is_own else theirs
            value = "" if one.value is None else one.value
            print(f"{one.name}\t{value}\t{who}")

    run_verb(verb)


@app.command("set")
def set_value(name: str, value: str) -> None:
    """Set a value; every process uses it within moments."""
    from app.telephony.provider.setup import carry_out, may_show

    async def verb(work: Work) -> None:
        number_setup.compose(work.ground, carry_out, may_show)
        await own_settings.change(work, {name: value})

    run_verb(verb)


@app.command("reset")
def reset(name: str) -> None:
    """Give a setting back to the server, or to the definitions of the country."""
    run_verb(lambda work: own_settings.change(work, {name: None}))
