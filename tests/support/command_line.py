"""Commands as they are typed, on the unit of work of the test instead of one of their own."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from app.cli import main
from app.work import Work

Types = Callable[..., Awaitable[Result]]


def typed_on(work: Work, patch: pytest.MonkeyPatch, app: Typer, *modules: Any) -> Types:
    """Return what carries a command out: its words are read, and its verb runs on `work`.

    `given` is what it reads from standard input.
    """
    loop = asyncio.get_running_loop()

    def run_verb(verb: Any, **how: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(verb(work), loop).result(60)

    for module in modules:
        patch.setattr(module, "run_verb", run_verb)

    async def types(*words: str, fails: bool = False, given: str = "") -> Result:
        done = await asyncio.to_thread(CliRunner().invoke, app, words, given)
        assert (done.exit_code != 0) is fails, (words, done.output, done.exception)
        return done

    return types


def commands_of(command: Any, words: tuple[str, ...] = ()) -> set[str]:
    """Return the words of each command below one."""
    if not hasattr(command, "commands"):
        return {" ".join(words)}
    below = (commands_of(one, (*words, name)) for name, one in command.commands.items())
    return set().union(*below)


def run_main(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Run a command as from a shell; return its exit code and all that it says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["helpline", *words])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.out + said.err
