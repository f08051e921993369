"""Each route of the pages that changes something has one of the API and a command, or a reason."""

import typer

from app.api.app import PREFIX
from app.cli.commands import app
from tests.support.command_line import commands_of
from tests.support.pages.same_routes import SAME
from tests.support.program.quiet import QuietStage
from tests.support.routes import routes


async def test_each_change_of_a_page_has_its_route_and_its_command_or_a_reason(
    quiet: QuietStage,
) -> None:
    pages, programs = set(), set()
    for route in routes(quiet):
        methods = set(route.methods or ()) - {"GET", "HEAD"}
        if route.include_in_schema:
            path = route.path.removeprefix(PREFIX)
            programs |= {f"{method} {path}" for method in methods}
        elif methods and route.endpoint.__module__.startswith("app.dashboard."):
            pages.add(route.path)
    assert pages == set(SAME)
    commands = commands_of(typer.main.get_command(app))
    for page, (program, command) in SAME.items():
        assert program.startswith("- ") or program in programs, page
        assert command.startswith("- ") or command in commands, page
