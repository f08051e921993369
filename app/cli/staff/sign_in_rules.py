"""`helpline staff sign-in-rules`."""

from dataclasses import replace
from typing import Annotated

import typer

from app.cli.running import parts_of, run_verb
from app.staff import sign_in_rules as rules
from app.work import Work

app = typer.Typer()


@app.command("sign-in-rules")
def sign_in_rules(
    second_factor: Annotated[
        str | None, typer.Option(help="roles that need one, comma-separated; '' means none")
    ] = None,
    passkey: Annotated[
        str | None,
        typer.Option(help="those whose second factor has to be a passkey; '' means none"),
    ] = None,
    hours: Annotated[int | None, typer.Option(help="hours that a sign-in lasts")] = None,
    proof_minutes: Annotated[
        int | None, typer.Option(help="minutes that a proof counts before numbers and exports")
    ] = None,
    idle_minutes: Annotated[
        int | None, typer.Option(help="minutes without any act that end a sign-in; 0 for never")
    ] = None,
    knowingly: Annotated[
        bool,
        typer.Option(
            "--knowingly", help="a role may need one, or a passkey, no more: you know that"
        ),
    ] = False,
) -> None:
    """Show the rules of signing in, or change them."""

    async def verb(work: Work) -> rules.Rules:
        found = await rules.sign_in_rules(work)
        factors, passkeys = (
            None if given is None else rules.read_roles(parts_of(given))
            for given in (second_factor, passkey)
        )
        found = found.demanding(factors, passkeys)
        if hours is not None:
            found = replace(found, session_hours=hours)
        if proof_minutes is not None:
            found = replace(found, proof_minutes=proof_minutes)
        if idle_minutes is not None:
            found = replace(found, idle_minutes=idle_minutes)
        if (second_factor, passkey, hours, proof_minutes, idle_minutes) != (None,) * 5:
            await rules.set_sign_in_rules(work, found, knowingly=knowingly)
        return found

    shown = run_verb(verb)
    print(f"second factor: {', '.join(shown.factor_roles) or '-'}")
    print(f"passkey: {', '.join(shown.passkey_roles) or '-'}")
    print(f"hours: {shown.session_hours}")
    print(f"minutes of a proof: {shown.proof_minutes}")
    print(f"minutes without any act: {shown.idle_minutes or 'any'}")
    for role, own in shown.values["of_roles"].items():
        print(f"{role}: {', '.join(f'{name} {value}' for name, value in own.items())}")
