"""The list of commands and the pages that do the same: whole, and true, with every option."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import typer
from fastapi.routing import APIRoute

from app.cli.commands import app
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.command_line import commands_of
from tests.support.contacts import all_completed
from tests.support.pages.options import (
    fields_in,
    fields_sent,
    fields_written,
    options_of,
    parameters_of,
)
from tests.support.pages.same_options import ANOTHER, NAMES, OWN, PROGRAMS
from tests.support.pages.same_routes import SAME
from tests.support.profile import WHOLE
from tests.support.referrals import add_agency
from tests.support.routes import routes, rows_of_settings

_LIST = Path(__file__).parent.parent.parent / "docs" / "commands.md"
_ROW = re.compile(
    r"^\| `helpline ([\w -]+)` \| (?:((?:`/[^`]*`(?:, )?)+)|([^|`]+)) \| ([^|]*) \|$", re.MULTILINE
)
_OPTION = re.compile(r"^\| `helpline ([\w -]+)` \| `([^`]+)` \|", re.MULTILINE)
_WRITES = bool(os.environ.get("WRITE_COMMANDS"))
_SERVERS = "the server's"
_OPTIONS = "## Options\n"
_ABOUT = f"""{_OPTIONS}
Which field of the page, and which parameter of the API, does what an option or argument of a
command does. After a dash stands why there is none. Written by `scripts/docs --commands`.

| Command | Option | Field of the page | Parameter of the API |
|---|---|---|---|
"""


def pages_of() -> dict[str, list[str]]:
    """Return the pages of each command of the list."""
    found = _ROW.findall(_LIST.read_text())
    return {command: re.findall(r"`([^`]+)`", page) for command, page, *_ in found}


def programs_of() -> dict[str, list[str]]:
    """Return the routes of the API that do the same as each command."""
    found: dict[str, list[str]] = {}
    for program, command in SAME.values():
        if not program.startswith("- ") and not command.startswith("- "):
            found.setdefault(command, []).append(program)
    for command, programs in PROGRAMS.items():
        found.setdefault(command, []).extend(programs)
    return {command: list(dict.fromkeys(programs)) for command, programs in found.items()}


def test_every_command_is_in_the_list_once_with_its_routes() -> None:
    listed = {command: programs for command, _, _, programs in _ROW.findall(_LIST.read_text())}
    commands = commands_of(typer.main.get_command(app))
    assert sorted(command for command, *_ in _ROW.findall(_LIST.read_text())) == sorted(commands)
    programs = programs_of()
    assert set(programs) <= commands
    for command, pages in pages_of().items():
        assert listed[command] == _shown(programs.get(command, ()) if pages else ()), command
        assert not pages or command in programs, f"{command}: which route of the API does the same?"


def _shown(programs: Iterable[str]) -> str:
    return ", ".join(f"`{one}`" for one in programs) or "-"


def test_every_option_of_a_command_is_in_the_list_once() -> None:
    """By night it is looked whether the field and the parameter are there that the list names."""
    listed = _OPTION.findall(_LIST.read_text().partition(_OPTIONS)[2])
    assert listed == [
        (command, typed)
        for command, options in options_of(typer.main.get_command(app)).items()
        if pages_of()[command]
        for typed in options.values()
    ]


# To write the list, all pages are opened: `scripts/docs --commands`.
@pytest.mark.skipif(not WHOLE and not _WRITES, reason="all pages are opened: with TESTS=whole")
async def test_every_option_of_a_command_has_its_field_and_its_parameter(stage: Stage) -> None:
    fields = await _fields_of_pages(stage)
    description, programs = stage.app.openapi(), programs_of()
    rows, missing = [], []
    for command, options in options_of(typer.main.get_command(app)).items():
        pages = pages_of()[command]
        if not pages:
            continue
        has = set().union(*(fields[page] for page in pages))
        has |= _sent(_of_pages(stage), command, pages, programs[command])
        takes = set().union(*(parameters_of(description, one) for one in programs[command]))
        for name, typed in options.items():
            page, program = (
                _same(command, name, own, known) for own, known in ((0, has), (1, takes))
            )
            rows.append(f"| `helpline {command}` | `{typed}` | {page} | {program} |\n")
            missing += [f"{command} {typed}: {page} {program}"] if not page or not program else []
    assert not missing, "\n".join(missing)
    whole = _LIST.read_text().partition(_OPTIONS)[0] + _ABOUT + "".join(rows)
    if _WRITES:
        _LIST.write_text(whole)
    assert _LIST.read_text() == whole, "run `scripts/docs --commands`"


def _sent(
    of_pages: list[APIRoute], command: str, pages: list[str], programs: list[str]
) -> set[str]:
    """Return what the forms and buttons of pages send, to the pages and to the API."""
    found: set[str] = set()
    for route in of_pages:
        below = any(route.path.startswith(f"{page}/{{") for page in pages)
        if below or route.path in pages or SAME.get(route.path, ("", ""))[1] == command:
            found |= fields_sent(route)
        if route.path in pages:
            found |= fields_written(route.endpoint.__module__, programs)
    return found


def _same(command: str, name: str, own: int, known: set[str]) -> str:
    """Return what does the same as an option, or why there is none; empty: it is missing."""
    like = (name, name.rstrip("_"), *NAMES.get(name, ()))
    found = next((f"`{one}`" for one in like if one in known), "")
    if (command, name) not in OWN:
        return found
    said = OWN[command, name][own]
    if said.startswith("- "):
        # A reason why there is none holds only while there is none.
        return said if not found or (command, name) in ANOTHER else ""
    return f"`{said}`" if said in known else ""


def test_no_name_of_an_option_is_kept_that_is_none() -> None:
    options = options_of(typer.main.get_command(app))
    assert all(name in options[command] for command, name in OWN)
    assert set(OWN) >= ANOTHER
    assert set(NAMES) <= {name for names in options.values() for name in names}


def _of_pages(stage: Stage) -> list[APIRoute]:
    return [
        one
        for one in routes(stage)
        if not one.include_in_schema and one.endpoint.__module__.startswith("app.dashboard.")
    ]


async def _fields_of_pages(stage: Stage) -> dict[str, set[str]]:
    """Open the pages of the list, and return the names of their fields."""
    boss, mila = [
        await stage.add_counsellor(name, role=role, shift=False, state=None)
        for name, role in (("boss", Role.SUPERVISOR), ("mila", Role.ADMINISTRATOR))
    ]
    ana = await stage.add_counsellor("ana")
    await ana.ask("POST", "/contacts", {"channel": "call", "answers": {}})
    await all_completed(stage)
    await add_agency(stage, "house", "shelter", email="h@a.example")
    ids = await rows_of_settings(stage, boss, mila)
    ids |= {"person_id": str(ana.id), "staff_id": str(ana.id), "code": "house"}
    ids |= {"language": "sr", "which": "pages"}
    exist = {one.path for one in _of_pages(stage) if "GET" in (one.methods or ())}
    found: dict[str, set[str]] = {}
    for command, pages in pages_of().items():
        assert set(pages) <= exist, command
        for page in pages:
            found[page] = found.get(page) or fields_in(await _opened(stage, mila, page, ids))
    return found


async def _opened(stage: Stage, mila: Counsellor, page: str, ids: dict[str, str]) -> str:
    address = re.sub(r"{(\w+)(?::\w+)?}", lambda part: ids[part[1]], page)
    answer = await stage.client.get(
        stage.settings.public_url + address, headers={"Cookie": mila.cookie_header}
    )
    return answer.text


# Why each command that has no page has none.
_ON_THE_SERVER = {
    "backup key": "the private key must never be on the server, nor in a browser",
    "backup note": "the operator's own tool says that it has made a back-up",
    "backup stop": "the settings of the server are changed first, and it is started again",
    "backup restore": "takes the private key, and a server that does not run",
    "backup drill": "takes the private key",
    "data-requests prepare-folder": "looks at the disks of the server, as who set it up does",
    "data-requests erase-again": "takes the private key, before anyone signs in again",
    "serve": "starts the program",
    "worker": "starts the program",
    "keeper": "starts the program",
    "health": "says whether the program runs",
    "migrate": "changes the tables before the program starts",
    "demo": "a helpline of its own, to try the program",
    "bench": "measures the program, with a helpline of its own",
}


def test_a_command_without_a_page_is_the_servers() -> None:
    listed = _ROW.findall(_LIST.read_text())
    without = {command: instead.strip() for command, page, instead, _ in listed if not page}
    assert set(without) == set(_ON_THE_SERVER), "give a new command its page"
    assert set(without.values()) == {_SERVERS}
