"""`helpline provider …`: sign-in by a provider of identities (OpenID Connect)."""

import sys
from dataclasses import replace
from typing import Annotated, Any

import typer

from app.cli.running import parts_of, run_verb
from app.errors import Invalid
from app.people.provider import keeping
from app.people.provider.mapping import MappingWanted
from app.people.provider.rows import Unknown
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="Sign-in by a provider of identities.")


@app.command("show")
def show() -> None:
    """Show the provider, without its secret."""

    async def verb(work: Work) -> None:
        row = await keeping.known_provider(work)
        for name, value in keeping.values_for_log(keeping.wanted_of(row)).items():
            print(f"{name}\t{'; '.join(value) if isinstance(value, list) else value}")
        print(f"redirect_uri\t{keeping.client_of(work, row).redirect_uri}")
        print(f"backchannel_logout_uri\t{keeping.logout_address(work)}")

    run_verb(verb)


def _pairs(given: list[str] | None) -> tuple[tuple[str, str], ...] | None:
    if given is None:
        return None
    pairs = [one.rpartition("=") for one in given]
    if not all(sign for _, sign, _ in pairs):
        raise Invalid("Each is a value of the claim, = and what it means.")
    return tuple((value.strip(), meaning.strip()) for value, _, meaning in pairs)


@app.command("set")
def set_provider(
    name: Annotated[str | None, typer.Option(help="as the button calls it")] = None,
    issuer: Annotated[str | None, typer.Option(help="exactly as the provider writes it")] = None,
    client_id: Annotated[str | None, typer.Option("--client-id")] = None,
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="read the client secret from standard input")
    ] = False,
    role_claim: Annotated[str | None, typer.Option(help="groups, realm_access.roles")] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="VALUE=ROLE; again for each, the first counts")
    ] = None,
    team_claim: Annotated[str | None, typer.Option(help="'' means teams are set here")] = None,
    team: Annotated[list[str] | None, typer.Option(help="VALUE=TEAM; again for each")] = None,
    unknown: Annotated[Unknown | None, typer.Option(help="people without an account")] = None,
    by_email: Annotated[
        bool | None, typer.Option("--by-email/--not-by-email", help="link by verified address")
    ] = None,
    factors: Annotated[str | None, typer.Option(help="values of amr or acr: mfa")] = None,
    close_passwords: Annotated[
        bool | None, typer.Option("--close-passwords/--open-passwords")
    ] = None,
) -> None:
    """Set the provider up, or change it; options that are left out stay as they are."""
    secret = sys.stdin.readline().strip() if secret_stdin else None
    given: dict[str, Any] = {
        "name": name,
        "issuer": issuer,
        "client_id": client_id,
        "role_claim": role_claim,
        "roles": _pairs(role),
        "team_claim": team_claim,
        "teams": _pairs(team),
        "unknown": unknown.value if unknown else None,
        "links_by_email": by_email,
        "factors": None if factors is None else tuple(parts_of(factors)),
        "closes_passwords": close_passwords,
    }

    async def verb(work: Work) -> None:
        row = await keeping.provider(work)
        present = keeping.wanted_of(row) if row else MappingWanted(name="", issuer="", client_id="")
        changed = {key: value for key, value in given.items() if value is not None}
        await keeping.save(work, replace(present, **changed), secret, by=None)

    run_verb(verb)


@app.command("test")
def test() -> None:
    """Ask the provider what it says of itself, and for its keys."""
    run_verb(keeping.test)
    print("The provider answers, and its keys can be read.")


@app.command("remove")
def remove() -> None:
    """Remove the provider: its people sign in with a password."""
    run_verb(keeping.remove)
