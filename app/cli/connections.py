"""`helpline connections …`: what the program is connected to, and whether it works."""

from typing import Annotated
from uuid import UUID

import typer

from app.cli.lines import line_of
from app.cli.running import run_verb
from app.errors import NotFound
from app.people import connection_tests, dead_letters
from app.people.connection_words import words_of
from app.people.connections import all_connections
from app.staff.accounts import find_by_name
from app.staff.models import Staff
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="What the program is connected to.")


@app.command("list")
def list_connections() -> None:
    """List every connection: set up or not, last success, last failure, what waits, last test."""

    async def verb(work: Work) -> None:
        for one in await all_connections(work):
            state = "not set up" if not one.is_set_up else "fails" if one.fails else "set up"
            worked, failed = (
                f"{at:%Y-%m-%d %H:%M}" if at else "-" for at in (one.last_success, one.last_failure)
            )
            test = one.last_test
            said = str(words_of(test, one.tested_agency)) if test else "-"
            print("\t".join((one.means.value, state, worked, failed, str(one.waiting), said)))

    run_verb(verb)


@app.command("dead-letters")
def list_dead_letters() -> None:
    """List events, cases, mails and texts that did not arrive, the newest first, with their ids."""

    async def verb(work: Work) -> None:
        for one in await dead_letters.dead_letters(work):
            at = f"{one.at:%Y-%m-%d %H:%M}"
            words = (str(one.id), at, one.means.value, one.to, one.target, one.what, one.problem)
            print("\t".join(words))

    run_verb(verb)


@app.command("send-again")
def send_again(letter: Annotated[UUID, typer.Argument(help="the id of an event")]) -> None:
    """Send an event again that did not arrive, once the cause is mended."""

    async def verb(work: Work) -> None:
        await dead_letters.send_again(work, letter)

    run_verb(verb)


async def _person(work: Work, name: str) -> Staff:
    staff = await find_by_name(work.session, name)
    if staff is None:
        raise NotFound("There is no account '%(name)s'.", name=name[:60])
    return staff


@app.command("test-mail")
def test_mail(name: str) -> None:
    """Send a test letter to a person's own address."""

    async def verb(work: Work) -> None:
        await connection_tests.send_test_letter(work, await _person(work, name))

    run_verb(verb)
    print("The mail server took it.")


@app.command("test-call")
def ring_phone(
    name: str,
    number: Annotated[str, typer.Option(help="a phone; default: the person's own")] = "",
    line: Annotated[str, typer.Option(help="the line whose prompt is said, by its number")] = "",
    language: Annotated[str, typer.Option(help="default: the line's first")] = "",
    key: Annotated[str, typer.Option(help="the prompt, as of `helpline line prompt`")] = "",
) -> None:
    """Ring a person's phone, or a number: it hears a test, or a prompt of a line.

    It counts for that person.
    """

    async def verb(work: Work) -> None:
        line_id = (await line_of(work, line)).id if line else None
        await connection_tests.ring_test_phone(
            work, await _person(work, name), number, line_id=line_id, language=language, key=key
        )

    run_verb(verb)
    print("The phone is being rung. `helpline connections list` says what came of it.")


@app.command("test-sms")
def send_text(
    name: str,
    number: Annotated[str, typer.Option(help="a phone; default: the person's own")] = "",
) -> None:
    """Send a test text to a person's phone, or to a number. It counts for that person."""

    async def verb(work: Work) -> None:
        await connection_tests.send_test_text(work, await _person(work, name), number)

    run_verb(verb)
    print("It is on its way. `helpline connections list` says what came of it.")


@app.command("test-event")
def test_event(agency: str) -> None:
    """Send one signed test event to the system of an agency, by its code."""

    async def verb(work: Work) -> str:
        return str(words_of(*await connection_tests.send_test_event(work, agency)))

    print(run_verb(verb))


@app.command("test-case-system")
def test_case_system(agency: str) -> None:
    """Read the forms of an agency's case system, by the agency's code. No case is made."""

    async def verb(work: Work) -> str:
        return str(words_of(*await connection_tests.ask_case_system(work, agency)))

    print(run_verb(verb))
