"""`helpline connections …`: what the program is connected to, and whether it works."""

import typer

from app.cli.running import run_verb
from app.errors import NotFound
from app.people.connections import all_connections, send_test_letter
from app.staff.accounts import find_by_name
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="What the program is connected to.")


@app.command("list")
def list_connections() -> None:
    """List every connection: set up or not, last success, last failure, and what waits."""

    async def verb(work: Work) -> None:
        for one in await all_connections(work):
            state = "not set up" if not one.is_set_up else "fails" if one.fails else "set up"
            worked, failed = (
                f"{at:%Y-%m-%d %H:%M}" if at else "-" for at in (one.last_success, one.last_failure)
            )
            print("\t".join((one.means.value, state, worked, failed, str(one.waiting))))

    run_verb(verb)


@app.command("test-mail")
def test_mail(name: str) -> None:
    """Send a test letter to a person's own address."""

    async def verb(work: Work) -> None:
        staff = await find_by_name(work.session, name)
        if staff is None:
            raise NotFound("There is no account '%(name)s'.", name=name[:60])
        await send_test_letter(work, staff)

    run_verb(verb)
    print("The mail server took it.")
