"""`helpline agency …`: the directory from the command line."""

import json
import sys
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from app.cli.running import run_verb
from app.errors import BadSettings
from app.referrals.directory import addresses, agencies, directory_csv, leavers
from app.referrals.states import Sector, Service
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="Agencies that receive referrals.")


@app.command("add")
def add(
    name: str,
    code: Annotated[str, typer.Option(help="lower-case letters, digits, dashes")],
    sector: Annotated[Sector, typer.Option()],
    services: Annotated[str, typer.Option(help=f"comma-separated: {', '.join(Service)}")],
    areas: Annotated[str, typer.Option(help="codes of places; default: everywhere")] = "",
    phone: Annotated[
        list[str] | None,
        typer.Option(help="a duty phone, in order: '+NUMBER' or '+NUMBER (22:00-06:00)'"),
    ] = None,
    email: str = "",
    sms: Annotated[str, typer.Option(help="a number that takes SMS")] = "",
    hours: Annotated[str, typer.Option(help="'24/7' or 'Mo-Fr 08:00-16:00; PH off'")] = "",
    timezone: Annotated[str, typer.Option(help="default: the protocol's")] = "",
    languages: Annotated[str, typer.Option(help="the first is spoken; for example sr,en")] = "",
    age_from: str = "",
    age_to: str = "",
    deputy: Annotated[str, typer.Option(help="code of the agency that stands in")] = "",
    valid_from: Annotated[str, typer.Option(help="YYYY-MM-DD")] = "",
    valid_until: Annotated[str, typer.Option(help="YYYY-MM-DD, exclusive")] = "",
    verified_on: Annotated[str, typer.Option(help="YYYY-MM-DD")] = "",
    verified_by: str = "",
    mandated_for: Annotated[
        str, typer.Option(help="service@place, comma-separated; @* for everywhere")
    ] = "",
    webhook_url: str = "",
) -> None:
    """Add an agency, or change the options given of the one with that code."""
    texts = {
        "code": code,
        "name": name,
        "sector": sector.value,
        "services": _bars(services),
        "areas": _bars(areas),
        "duty_phones": " | ".join(phone or []),
        "email": email,
        "sms": sms,
        "hours": hours,
        "timezone": timezone,
        "languages": _bars(languages),
        "age_from": age_from,
        "age_to": age_to,
        "deputy": deputy,
        "valid_from": valid_from,
        "valid_until": valid_until,
        "verified_on": verified_on,
        "verified_by": verified_by,
        "mandated_for": _bars(mandated_for),
        "webhook_url": webhook_url,
    }
    saved, told = run_verb(lambda work: _save(work, texts))
    print(saved)
    _tell(told)


def _tell(lines: list[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr)


async def to_verify(work: Work) -> list[str]:
    """Return what of our own people on call must be verified again, one a line."""
    return [
        f"{entry.code}: {said}: {one}. Verify the entry again."
        for entry in await leavers.to_verify(work)
        for said, some in (
            ("of a person who has left, acknowledges nothing", entry.of_leavers),
            ("in doubt", entry.in_doubt),
        )
        for one in some
    ]


async def _save(work: Work, texts: dict[str, str]) -> tuple[UUID, list[str]]:
    # What is not given stays as it is: a forgotten option must not end a connection.
    known = {
        agency.code: directory_csv.as_texts(entry) for agency, entry in await agencies.entries(work)
    }
    given = {name: text for name, text in texts.items() if text}
    entry = directory_csv.read_entry({**known.get(texts["code"], {}), **given})
    agency = await agencies.save_agency(work, entry)
    return agency.id, await to_verify(work)


@app.command("import")
def import_agencies(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """Import a CSV file. If a line has errors, list them and import nothing."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadSettings(f"{file} is not UTF-8 text (at byte {error.start}).") from None

    async def verb(work: Work) -> tuple[int, list[str]]:
        return await directory_csv.import_directory(work, text), await to_verify(work)

    number, told = run_verb(verb)
    print(f"{number} agencies")
    _tell(told)


@app.command("export")
def export_agencies(
    output: Annotated[Path | None, typer.Option(help="a file; default: standard output")] = None,
) -> None:
    """Export the directory as a CSV file that can be imported again."""

    async def verb(work: Work) -> str:
        return directory_csv.write_directory(await agencies.entries(work))

    text = run_verb(verb)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8", newline="")


@app.command("secret")
def secret(code: str) -> None:
    """Make a new secret for an agency's signed events; it is shown only once."""

    async def verb(work: Work) -> str:
        return await agencies.set_webhook_secret(work, code)

    print(run_verb(verb))


@app.command("password")
def password(
    code: str,
    stdin: Annotated[
        bool, typer.Option("--password-stdin", help="read the password from standard input")
    ] = False,
) -> None:
    """Set the password of our account at an agency's case management system; it is sealed."""
    if stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        given = typer.prompt("Password", hide_input=True)
    else:
        raise BadSettings("Give the password on standard input with --password-stdin.")

    async def verb(work: Work) -> None:
        await agencies.set_primero_password(work, code, given)

    run_verb(verb)


@app.command("changes")
def changes() -> None:
    """List the changed addresses and secrets that wait for a second person."""

    async def verb(work: Work) -> list[str]:
        return [
            f"{one.change.asked_at:%Y-%m-%d %H:%M}  {one.agency.code}  {one.change.field}  "
            f"{json.dumps(one.change.value)}  asked by {one.asked_by or one.change.asked_role}"
            for one in await addresses.waiting(work, None)
        ]

    print("\n".join(run_verb(verb)) or "nothing waits")


@app.command("decide")
def decide(
    code: str,
    approve: Annotated[bool, typer.Option("--approve/--refuse")],
) -> None:
    """Approve or refuse the pending addresses and secrets of an agency."""

    async def verb(work: Work) -> tuple[int, list[str]]:
        found = [one for one in await addresses.waiting(work, None) if one.agency.code == code]
        if found:
            await addresses.decide(work, None, [one.change.id for one in found], approve=approve)
        return len(found), await to_verify(work)

    number, told = run_verb(verb)
    print(f"{number} changes {'are in force' if approve else 'are refused'}")
    _tell(told)


def _bars(words: str) -> str:
    """Return a comma-separated list in the form of the CSV columns."""
    return " | ".join(part.strip() for part in words.split(",") if part.strip())
