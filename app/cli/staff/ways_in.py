"""`helpline staff …`: links, passwords, second factors and codes, by which people come in."""

import sys
from typing import Annotated

import typer

from app.cli.running import run_verb
from app.errors import BadSettings
from app.people import factors, finding, leaked, links, phone_codes
from app.people.provider import access
from app.staff import passwords
from app.work import Work

app = typer.Typer()


def typed_password(*, from_input: bool) -> str:
    """Return a password from standard input, or typed twice. Raises BadSettings."""
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    raise BadSettings("Give the password on standard input with --password-stdin.")


def print_link(link: str | None) -> None:
    print(link or "The link is sent by mail.")


@app.command("withdraw-link")
def withdraw_link(name: str) -> None:
    """Withdraw the link by which a person would choose a password."""

    async def verb(work: Work) -> None:
        await links.withdraw(work, (await finding.person_named(work, name)).id)

    run_verb(verb)


@app.command("reset-password")
def reset_password(
    name: str,
    by_mail: Annotated[bool, typer.Option("--mail", help="send the link to the person")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="read a new password from standard input")
    ] = False,
) -> None:
    """Print a link by which a person chooses a new password. All their sessions end then."""
    password = typed_password(from_input=True) if password_stdin else None

    async def verb(work: Work) -> str | None:
        person = await finding.person_named(work, name)
        if password is None:
            return await links.make_link(work, person.id, by=None, by_mail=by_mail)
        await passwords.set_password(work, person, password)
        return "The password is set."

    print_link(run_verb(verb, first=lambda ground: leaked.ask_aside(ground, password or "")))


@app.command("reset-second-factor")
def reset_second_factor(name: str) -> None:
    """Remove a person's second factor, for example when a phone was lost."""

    async def verb(work: Work) -> None:
        person = await finding.person_named(work, name)
        await factors.reset(work, person.id, by=None)

    run_verb(verb)


@app.command("unlink")
def unlink(name: str) -> None:
    """Unlink an account from the provider of identities: its person signs in with a password."""

    async def verb(work: Work) -> None:
        person = await finding.person_named(work, name)
        await access.unlink(work, person, by=None)

    run_verb(verb)


@app.command("phone-code")
def phone_code(name: str) -> None:
    """Make a single-use code for the phone of a person and print it; it is shown only once."""

    async def verb(work: Work) -> str:
        person = await finding.person_named(work, name)
        code, _waits = await phone_codes.make(work, person.id, by=None)
        return code

    print(run_verb(verb))
