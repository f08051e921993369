"""`helpline staff …`: accounts, and which calls a person can take."""

from typing import Annotated

import typer

from app.abilities import EndpointKind
from app.calls.chat_rules import MOST_AT_ONCE
from app.calls.lines import lines
from app.cli.lines import line_of
from app.cli.running import parts_of, run_verb
from app.cli.staff import access_requests, leaving, sign_in_rules, ways_in
from app.dialling import outward
from app.people import changing, finding, holding, leaked, links
from app.people.changing import Changes
from app.routing.plan import check_skills
from app.staff import accounts, phone_proofs
from app.staff.roles import Role
from app.words import SOURCE
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="Accounts.")
for _part in (ways_in, leaving, sign_in_rules, access_requests):
    app.add_typer(_part.app)


# Options of more than one command.
Endpoint = Annotated[str, typer.Option(help="browser, client:ID, a number or sip:URI")]
Languages = Annotated[str, typer.Option(help="sr,en; default: every language")]
Skills = Annotated[str, typer.Option(help="violence,lgbt:2")]
Training = Annotated[
    bool, typer.Option("--training", help="takes calls only while a supervisor is there")
]
Chats = Annotated[int, typer.Option(min=0, max=MOST_AT_ONCE, help="written conversations at once")]


@app.command("add")
def add_staff(
    name: str,
    role: Annotated[Role, typer.Option()] = Role.COUNSELLOR,
    endpoint: Endpoint = EndpointKind.BROWSER.value,
    languages: Languages = "",
    line_numbers: Annotated[
        str, typer.Option("--lines", help="numbers, comma-separated; default: every line")
    ] = "",
    skills: Skills = "",
    training: Training = False,
    chats: Chats = 0,
    team: Annotated[
        str, typer.Option(help="the team whose supervisors read this person's records")
    ] = "",
    email: Annotated[
        str | None, typer.Option(help="address to which reports are announced")
    ] = None,
    page_language: Annotated[
        str, typer.Option(help="the language of this person's pages, such as sr")
    ] = SOURCE,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="read the password from standard input")
    ] = False,
) -> None:
    """Add an account."""
    password = ways_in.typed_password(from_input=password_stdin)

    async def verb(work: Work) -> str:
        for language in parts_of(languages):
            lines.check_language(language)
        numbers = [(await line_of(work, number)).number for number in parts_of(line_numbers)]
        check_skills(parts_of(skills))
        staff = await accounts.add_staff(
            work,
            name=name,
            role=role,
            endpoint=await outward.read_endpoint(work, endpoint),
            languages=parts_of(languages),
            lines=numbers,
            skills=parts_of(skills),
            training=training,
            chats_at_once=chats,
            team=team,
            email=email,
            page_language=page_language,
            password=password,
        )
        return str(staff.id)

    print(run_verb(verb, first=lambda ground: leaked.ask_aside(ground, password)))


@app.command("change")
def change_staff(
    name: str,
    new_name: Annotated[str | None, typer.Option("--name", help="also used to sign in")] = None,
    role: Annotated[Role | None, typer.Option()] = None,
    team: Annotated[str | None, typer.Option(help="'' means no team")] = None,
    email: Annotated[str | None, typer.Option(help="'' means none")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="browser, client:ID, a number or sip:URI")
    ] = None,
    languages: Annotated[str | None, typer.Option(help="'' means every language")] = None,
    line_numbers: Annotated[
        str | None, typer.Option("--lines", help="numbers; '' means every line")
    ] = None,
    skills: Annotated[str | None, typer.Option(help="violence,lgbt:2")] = None,
    training: Annotated[
        bool | None,
        typer.Option("--training/--trained", help="takes calls only while a supervisor is there"),
    ] = None,
    emergency: Annotated[
        bool | None,
        typer.Option("--emergency/--ordinary", help="its password is never closed"),
    ] = None,
    chats: Annotated[
        int | None, typer.Option(help="written conversations at once; 0: none")
    ] = None,
    page_language: Annotated[
        str | None, typer.Option(help="the language of this person's pages, such as sr")
    ] = None,
) -> None:
    """Change an account; options that are left out stay as they are."""
    changes = Changes(
        name=new_name,
        role=role,
        team=team,
        email=email,
        endpoint=endpoint,
        languages=None if languages is None else parts_of(languages),
        lines=None if line_numbers is None else parts_of(line_numbers),
        skills=None if skills is None else parts_of(skills),
        training=training,
        emergency=emergency,
        chats_at_once=chats,
        page_language=page_language,
    )

    async def verb(work: Work) -> None:
        person = await finding.person_named(work, name)
        await changing.change(work, person.id, changes, by=None)

    run_verb(verb)


@app.command("list")
def list_staff(
    words: Annotated[str, typer.Argument(help="the beginning of a name")] = "",
    role: Annotated[Role | None, typer.Option()] = None,
    team: Annotated[str | None, typer.Option()] = None,
    state: Annotated[finding.PersonState | None, typer.Option()] = None,
) -> None:
    """List the accounts: name, role, team, state, and their PIN: page-pin if it was chosen on a
    page with a second factor, other-pin, or none."""

    async def verb(work: Work) -> list[str]:
        found = await finding.find_people(work, finding.PeopleWanted(words, role, team, state))
        pins = await phone_proofs.pins(work)
        return [
            "\t".join(
                (one.name, one.role, one.team or "-", finding.state_of(one), pins.get(one.id, "-"))
            )
            for one in found
        ]

    for line in run_verb(verb):
        print(line)


@app.command("show")
def show_staff(name: str) -> None:
    """Show an account, what the person holds, and what is open of one who has left."""

    async def verb(work: Work) -> list[str]:
        found = await finding.person_named(work, name)
        held = await holding.count(work, found)
        values = {
            **changing.values_of(found),
            "state": finding.state_of(found).value,
            "holds": {kind.value: number for kind, number in held.items() if number},
        }
        return [
            *(f"{key}: {value}" for key, value in values.items()),
            *await leaving.open_lines(work, found),
        ]

    for line in run_verb(verb):
        print(line)


@app.command("invite")
def invite(
    name: str,
    role: Annotated[Role, typer.Option()] = Role.COUNSELLOR,
    team: Annotated[str, typer.Option()] = "",
    email: Annotated[str, typer.Option(help="address of the person")] = "",
    endpoint: Endpoint = EndpointKind.BROWSER.value,
    languages: Languages = "",
    skills: Skills = "",
    training: Training = False,
    chats: Chats = 0,
    page_language: Annotated[
        str | None, typer.Option(help="the language of this person's pages, such as sr")
    ] = None,
    by_mail: Annotated[bool, typer.Option("--mail", help="send the link to the person")] = False,
) -> None:
    """Add an account, and print the link by which its person chooses a password."""
    changes = Changes(
        name=name,
        role=role,
        team=team,
        email=email,
        endpoint=endpoint,
        languages=parts_of(languages),
        skills=parts_of(skills),
        training=training,
        chats_at_once=chats,
        page_language=page_language,
    )

    async def verb(work: Work) -> str | None:
        _, link = await links.invite(work, changes, by=None, by_mail=by_mail)
        return link

    ways_in.print_link(run_verb(verb))
