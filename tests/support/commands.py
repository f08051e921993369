"""`helpline` commands, each in a process of its own that is forked from a warm one.

Loading the program takes longer than most commands: one process loads it and is forked for each.
"""

import contextlib
import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["app.cli.commands", "tests.support.commands"])


def command(
    *words: str, environment: Mapping[str, str], given: str = "", timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Carry out a command as it is typed. `given` is what it reads from standard input."""
    with tempfile.TemporaryDirectory(prefix="hlc", dir="/tmp") as name:
        folder = Path(name)
        (folder / "in").write_text(given)
        process = _FORKS.Process(target=_carry_out, args=(words, dict(environment), name))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(["helpline", *words], timeout)
        out, errors = ((folder / one).read_text() for one in ("out", "errors"))
        return subprocess.CompletedProcess(["helpline", *words], process.exitcode, out, errors)


@contextlib.contextmanager
def begun(*words: str, environment: Mapping[str, str]) -> Iterator[BaseProcess]:
    """Begin a command, which may be killed; it is waited for."""
    with tempfile.TemporaryDirectory(prefix="hlc", dir="/tmp") as name:
        (Path(name) / "in").write_text("")
        process = _FORKS.Process(target=_carry_out, args=(words, dict(environment), name))
        process.start()
        try:
            yield process
        finally:
            process.join(120)


def _carry_out(words: tuple[str, ...], environment: dict[str, str], folder: str) -> None:
    from app.cli import main

    for descriptor, name, mode in (
        (0, "in", os.O_RDONLY),
        (1, "out", os.O_WRONLY | os.O_CREAT),
        (2, "errors", os.O_WRONLY | os.O_CREAT),
    ):
        opened = os.open(f"{folder}/{name}", mode)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["helpline", *words]
    main()
