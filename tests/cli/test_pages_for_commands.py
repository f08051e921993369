"""The list of commands and the pages that do the same: whole, and true."""

import re
from pathlib import Path

import typer

from app.cli.commands import app
from app.demo.stage import Stage
from tests.support.command_line import commands_of
from tests.support.routes import routes

_LIST = Path(__file__).parent.parent.parent / "docs" / "commands.md"
_ROW = re.compile(
    r"^\| `helpline ([\w -]+)` \| (?:((?:`/[^`]*`(?:, )?)+)|([^|`]+)) \|$", re.MULTILINE
)
_SERVERS = "the server's"


def test_every_command_is_in_the_list_once() -> None:
    listed = [command for command, *_ in _ROW.findall(_LIST.read_text())]
    assert sorted(listed) == sorted(commands_of(typer.main.get_command(app)))


async def test_every_page_of_the_list_exists(stage: Stage) -> None:
    pages = {
        route.path
        for route in routes(stage)
        if "GET" in (route.methods or ()) and not route.include_in_schema
    }
    for command, page, instead in _ROW.findall(_LIST.read_text()):
        if page:
            assert set(re.findall(r"`([^`]+)`", page)) <= pages, command
        else:
            assert instead.strip() == _SERVERS, command
