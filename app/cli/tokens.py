"""`helpline token …`: tokens for programs that read figures."""

from typing import Annotated

import typer

from app.cli.running import parts_of, run_verb
from app.staff import tokens

app = typer.Typer(no_args_is_help=True, help="Tokens for programs that read figures.")


@app.command("add")
def add(
    name: str,
    scopes: Annotated[str, typer.Option(help=", ".join(tokens.SCOPES))] = "statistics",
    days: Annotated[int, typer.Option(help="days for which it is valid")] = 365,
) -> None:
    """Make a token and print it; it is shown only once."""
    wanted = parts_of(scopes)
    print(run_verb(lambda work: tokens.add_token(work, name, wanted, days)))


@app.command("revoke")
def revoke(name: str) -> None:
    """Revoke a token."""
    run_verb(lambda work: tokens.revoke_token(work, name))


@app.command("list")
def list_all() -> None:
    """List all tokens: name, scopes, end or revocation, last use."""
    for one in run_verb(tokens.list_tokens):
        state = f"until {one.expires_at:%Y-%m-%d}"
        if one.revoked_at:
            state = "stopped with its maker" if one.revoked_with else "revoked"
        used = f"used {one.used_at:%Y-%m-%d %H:%M}" if one.used_at else "never used"
        print(f"{one.name}\t{','.join(one.scopes)}\t{state}\t{used}")
