"""`helpline staff …`: accounts, and which calls a person can take."""

import sys
from dataclasses import replace
from typing import Annotated

import typer

from app.calls.chat_rules import MOST_AT_ONCE
from app.calls.lines import lines
from app.cli.lines import line_of
from app.cli.running import parts_of, run_verb
from app.country import still_open
from app.dialling import outward
from app.errors import BadSettings
from app.people import changing, factors, finding, holding, leaked, leaving, links, phone_codes
from app.people.approval import deciding
from app.people.changing import Changes
from app.people.provider import access
from app.referrals.directory import leavers
from app.routing import people
from app.routing.rota import changes, roster
from app.routing.rota.shifts import ALWAYS_UNTIL, Place
from app.staff import accounts, passwords
from app.staff import sign_in_rules as rules
from app.staff.models import EndpointKind, Staff
from app.staff.roles import Role
from app.words import SOURCE
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="Accounts.")
Knowingly = Annotated[
    bool,
    typer.Option(
        "--knowingly", help="leave uncovered the duty for which the colleague is not free"
    ),
]


def _password(*, from_input: bool) -> str:
    """Return a password from standard input, or typed twice. Raises BadSettings."""
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    raise BadSettings("Give the password on standard input with --password-stdin.")


@app.command("add")
def add_staff(
    name: str,
    role: Annotated[Role, typer.Option()] = Role.COUNSELLOR,
    endpoint: Annotated[
        str, typer.Option(help="browser, client:ID, a number or sip:URI")
    ] = EndpointKind.BROWSER.value,
    languages: Annotated[str, typer.Option(help="sr,en; default: every language")] = "",
    line_numbers: Annotated[
        str, typer.Option("--lines", help="numbers, comma-separated; default: every line")
    ] = "",
    skills: Annotated[str, typer.Option(help="violence,lgbt:2")] = "",
    training: Annotated[
        bool, typer.Option("--training", help="takes calls only while a supervisor is there")
    ] = False,
    chats: Annotated[
        int, typer.Option(min=0, max=MOST_AT_ONCE, help="written conversations at once")
    ] = 0,
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
    password = _password(from_input=password_stdin)

    async def verb(work: Work) -> str:
        for language in parts_of(languages):
            lines.check_language(language)
        numbers = [(await line_of(work, number)).number for number in parts_of(line_numbers)]
        people.check_skills(parts_of(skills))
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
    """List the accounts: name, role, team, state."""

    async def verb(work: Work) -> list[str]:
        found = await finding.find_people(work, finding.PeopleWanted(words, role, team, state))
        return [
            "\t".join((one.name, one.role, one.team or "-", finding.state_of(one))) for one in found
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
            *await _open_lines(work, found),
        ]

    for line in run_verb(verb):
        print(line)


@app.command("invite")
def invite(
    name: str,
    role: Annotated[Role, typer.Option()] = Role.COUNSELLOR,
    team: Annotated[str, typer.Option()] = "",
    email: Annotated[str, typer.Option(help="address of the person")] = "",
    endpoint: Annotated[
        str, typer.Option(help="browser, client:ID, a number or sip:URI")
    ] = EndpointKind.BROWSER.value,
    languages: Annotated[str, typer.Option(help="sr,en; default: every language")] = "",
    skills: Annotated[str, typer.Option(help="violence,lgbt:2")] = "",
    training: Annotated[
        bool, typer.Option("--training", help="takes calls only while a supervisor is there")
    ] = False,
    chats: Annotated[
        int, typer.Option(min=0, max=MOST_AT_ONCE, help="written conversations at once")
    ] = 0,
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

    _print_link(run_verb(verb))


def _print_link(link: str | None) -> None:
    print(link or "The link is sent by mail.")


async def _handed_lines(work: Work, handed: leaving.HandedOver, person: Staff) -> list[str]:
    """Return what was handed over, what stays uncovered, what others keep, and what of a person who
    has left is still open, one a line."""
    zone = await roster.home_zone(work)
    names = {one.id: one.name for one in await changes.people_of_rota(work)}
    on_call = [] if person.active else await leavers.to_confirm(work)

    def line(said: str, place: Place, name: str) -> str:
        ends = f"{place.end.astimezone(zone):%Y-%m-%dT%H:%M}" if place.end < ALWAYS_UNTIL else "-"
        return f"{said}: {place.start.astimezone(zone):%Y-%m-%dT%H:%M} {ends}{name}"

    return [
        *(f"{kind.value}: {number}" for kind, number in handed.given.items()),
        *(line("uncovered", one, "") for one in handed.uncovered),
        *(line("kept", one, f" {names[one.counsellor_id]}") for one in handed.kept),
        *await _open_lines(work, person),
        *(f"check that it is not theirs: {code}" for code, _name in on_call),
    ]


async def _open_lines(work: Work, person: Staff) -> list[str]:
    """Return what is open of a person who has left or lost the role at the provider, one a line."""
    left = await still_open.of(work, person)
    return [
        *(f"still in the directory: {code}" for code in left.entries),
        *(f"perhaps still in the directory: {code}" for code in left.perhaps),
        *(f"still the partner of: {name}" for name in left.lines),
        *(f"token that they made: {one.name}" for one in left.tokens),
        *(f"wallboard that they made: {one.name}" for one in left.wallboards),
    ]


@app.command("deactivate")
def deactivate(
    name: str,
    to: Annotated[str, typer.Option(help="the colleague who gets what the person holds")] = "",
    uncovered: Annotated[
        bool, typer.Option("--uncovered", help="leave the shifts uncovered")
    ] = False,
    knowingly: Knowingly = False,
) -> None:
    """Hand over what a person holds and deactivate the account: all access ends at once."""

    async def verb(work: Work) -> list[str]:
        person = await finding.person_named(work, name)
        plan = leaving.shifts_uncovered() if uncovered else {}
        if to:
            colleague = await finding.person_named(work, to)
            plan = leaving.everything_to(colleague.id, uncovered=uncovered)
        handed = await leaving.deactivate(work, person.id, plan, by=None, knowingly=knowingly)
        return await _handed_lines(work, handed, person)

    for line in run_verb(verb):
        print(line)


@app.command("hand-over")
def hand_over(
    name: str,
    to: Annotated[str, typer.Option(help="the colleague who gets what the person holds")],
    uncovered: Annotated[
        bool, typer.Option("--uncovered", help="leave the shifts uncovered")
    ] = False,
    knowingly: Knowingly = False,
) -> None:
    """Hand over what a person holds to a colleague; the person stays."""

    async def verb(work: Work) -> list[str]:
        person, colleague = [await finding.person_named(work, one) for one in (name, to)]
        plan = leaving.everything_to(colleague.id, uncovered=uncovered)
        handed = await leaving.hand_over(work, person.id, plan, by=None, knowingly=knowingly)
        return await _handed_lines(work, handed, person)

    for line in run_verb(verb):
        print(line)


@app.command("withdraw-link")
def withdraw_link(name: str) -> None:
    """Withdraw the link by which a person would choose a password."""

    async def verb(work: Work) -> None:
        await links.withdraw(work, (await finding.person_named(work, name)).id)

    run_verb(verb)


@app.command("reactivate")
def reactivate(
    name: str,
    by_mail: Annotated[bool, typer.Option("--mail", help="send the link to the person")] = False,
) -> None:
    """Make an account active again, and print the link by which its person chooses a password."""

    async def verb(work: Work) -> str | None:
        person = await finding.person_named(work, name)
        await leaving.reactivate(work, person.id, by=None)
        return await links.make_link(work, person.id, by=None, by_mail=by_mail)

    _print_link(run_verb(verb))


@app.command("reset-password")
def reset_password(
    name: str,
    by_mail: Annotated[bool, typer.Option("--mail", help="send the link to the person")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="read a new password from standard input")
    ] = False,
) -> None:
    """Print a link by which a person chooses a new password. All their sessions end then."""
    password = _password(from_input=True) if password_stdin else None

    async def verb(work: Work) -> str | None:
        person = await finding.person_named(work, name)
        if password is None:
            return await links.make_link(work, person.id, by=None, by_mail=by_mail)
        await passwords.set_password(work, person, password)
        return "The password is set."

    _print_link(run_verb(verb, first=lambda ground: leaked.ask_aside(ground, password or "")))


@app.command("reset-second-factor")
def reset_second_factor(name: str) -> None:
    """Take a person's second factor away, as when a telephone was lost."""

    async def verb(work: Work) -> None:
        person = await finding.person_named(work, name)
        await factors.reset(work, person.id, by=None)

    run_verb(verb)


@app.command("unlink")
def unlink(name: str) -> None:
    """Part an account from the provider of identities: its person signs in with a password."""

    async def verb(work: Work) -> None:
        person = await finding.person_named(work, name)
        await access.unlink(work, person, by=None)

    run_verb(verb)


@app.command("sign-in-rules")
def sign_in_rules(
    second_factor: Annotated[
        str | None, typer.Option(help="roles that need one, comma-separated; '' means none")
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
        typer.Option("--knowingly", help="a role may need a second factor no more: you know that"),
    ] = False,
) -> None:
    """Show the rules of signing in, or change them."""

    async def verb(work: Work) -> rules.Rules:
        found = await rules.sign_in_rules(work)
        if second_factor is not None:
            found = replace(found, factor_roles=rules.read_roles(parts_of(second_factor)))
        if hours is not None:
            found = replace(found, session_hours=hours)
        if proof_minutes is not None:
            found = replace(found, proof_minutes=proof_minutes)
        if idle_minutes is not None:
            found = replace(found, idle_minutes=idle_minutes)
        if (second_factor, hours, proof_minutes, idle_minutes) != (None,) * 4:
            await rules.set_sign_in_rules(work, found, knowingly=knowingly)
        return found

    shown = run_verb(verb)
    print(f"second factor: {', '.join(shown.factor_roles) or '-'}")
    print(f"hours: {shown.session_hours}")
    print(f"minutes of a proof: {shown.proof_minutes}")
    print(f"minutes without any act: {shown.idle_minutes or 'any'}")
    for role, own in shown.values["of_roles"].items():
        print(f"{role}: {', '.join(f'{name} {value}' for name, value in own.items())}")


@app.command("phone-code")
def phone_code(name: str) -> None:
    """Make a single-use code for the phone of a person and print it; it is shown only once."""

    async def verb(work: Work) -> str:
        person = await finding.person_named(work, name)
        code, _waits = await phone_codes.make(work, person.id, by=None)
        return code

    print(run_verb(verb))


@app.command("access-requests")
def access_requests() -> None:
    """List the accounts that would read children's records and wait for a second person."""

    async def verb(work: Work) -> list[str]:
        return [
            f"{one.row.asked_at:%Y-%m-%d %H:%M}  {one.person.name}  {one.row.kind}  "
            f"{one.row.role or one.person.role}  asked by {one.asked_by or one.row.asked_role}"
            for one in await deciding.waiting(work, None)
        ]

    print("\n".join(run_verb(verb)) or "nothing waits")


@app.command("decide-access")
def decide_access(
    name: str,
    approve: Annotated[bool, typer.Option("--approve/--refuse")],
) -> None:
    """Approve or refuse what waits of an account."""

    async def verb(work: Work) -> None:
        person = await finding.person_named(work, name)
        found = await deciding.waiting(work, None, person.id)
        if not found:
            raise deciding.NothingWaits()
        await deciding.decide(work, found[0].row.id, by=None, approve=approve)

    run_verb(verb)
    print("approved" if approve else "refused")
