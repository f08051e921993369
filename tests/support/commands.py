"""`helpline` commands, each in a process of its own that is forked from a warm one.

Loading the program takes longer than most commands: one process loads it and is forked for each.
The process of the tests in which servers are killed has made an application before, too: the first
one takes two seconds.
"""

import contextlib
import gc
import importlib
import io
import multiprocessing
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

from tests.support.kept.changes import changed_elsewhere
from tests.support.kept.places import short_folder
from tests.support.package.read_only import confine

T = TypeVar("T")

_FORKS = multiprocessing.get_context("forkserver")
# Only these processes of the tests run servers; see `tests/conftest.py`.
_SERVES = os.environ.get("PYTEST_XDIST_WORKER", "gw0") in ("gw0", "gw1")
_WARM = ["tests.support.kept.uncollected", "app.cli.commands", "tests.support.commands"]
_FORKS.set_forkserver_preload([*_WARM, "tests.support.program.warm"] if _SERVES else _WARM)
# A module, a name in it and the value that it gets: an interval that is shorter in a test.
Sooner = tuple[str, str, object]


def command(
    *words: str,
    environment: Mapping[str, str],
    given: str = "",
    timeout: float = 120,
    writes: Sequence[Path] = (),
) -> subprocess.CompletedProcess[str]:
    """Carry out a command as it is typed. `given` is what it reads from standard input.

    `writes`: the only folders that it can write to.
    """
    confined = [str(one) for one in writes]
    return _ended(partial(_carry_out, confined), words, environment, given, timeout)


def one_of_several(
    kind: str, *, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Start what a server starts as one of its processes, `web` or `worker`, until it ends."""
    return _ended(_be_one_of_several, (kind,), environment, "", 120)


def _ended(
    target: Callable[..., None],
    words: tuple[str, ...],
    environment: Mapping[str, str],
    given: str,
    timeout: float,
) -> subprocess.CompletedProcess[str]:
    """Return what was said by a process that is forked for it, and how it has ended."""
    with tempfile.TemporaryDirectory(prefix="hlc", dir=short_folder()) as name:
        folder = Path(name)
        (folder / "in").write_text(given)
        process = _FORKS.Process(target=target, args=(words, dict(environment), name))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(["helpline", *words], timeout)
        changed_elsewhere()
        out, errors = ((folder / one).read_text() for one in ("out", "errors"))
        return subprocess.CompletedProcess(["helpline", *words], process.exitcode, out, errors)


def elsewhere(work: Callable[..., T], *given: Any) -> T:
    """Return what a function returns in a process of its own."""
    mine, theirs = _FORKS.Pipe(duplex=False)
    process = _FORKS.Process(target=_send_result, args=(theirs, work, given))
    process.start()
    # So that its death is noticed: no other end is open then.
    theirs.close()
    try:
        found: T = mine.recv()
    finally:
        process.join(120)
        changed_elsewhere()
    return found


def _send_result(to: Connection, work: Callable[..., T], given: tuple[Any, ...]) -> None:
    gc.enable()
    to.send(work(*given))


@contextlib.contextmanager
def begun(*words: str, environment: Mapping[str, str]) -> Iterator[BaseProcess]:
    """Begin a command, which may be killed; it is waited for."""
    with tempfile.TemporaryDirectory(prefix="hlc", dir=short_folder()) as name:
        (Path(name) / "in").write_text("")
        process = _FORKS.Process(target=_carry_out, args=([], words, dict(environment), name))
        process.start()
        try:
            yield process
        finally:
            process.join(120)


class Serving:
    """A command that goes on until it is ended, in a session of its own: it may be killed.

    `listener` is its third file, as from a service manager. `sooner`: intervals that are shorter.
    `writes`: the only folders that it can write to.
    """

    def __init__(
        self,
        *words: str,
        environment: Mapping[str, str],
        log: str,
        listener: socket.socket | None = None,
        sooner: Sequence[Sooner] = (),
        writes: Sequence[Path] = (),
    ) -> None:
        confined = [str(one) for one in writes]
        given = (words, dict(environment), log, listener, tuple(sooner), confined)
        self._words = words
        self._process = _FORKS.Process(target=_serve, args=given)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Return its exit code. Raises TimeoutExpired."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(["helpline", *self._words], timeout)
        return code

    def terminate(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def send(self, what: signal.Signals) -> None:
        """Send a signal to it and all that it has started."""
        if self.poll() is None:
            os.killpg(self.pid, what)

    def kill(self) -> None:
        """As by `kill -9`: nothing is said, and nothing is put in order."""
        self.send(signal.SIGKILL)
        self.wait(10)


def _serve(
    words: tuple[str, ...],
    environment: dict[str, str],
    log: str,
    listener: socket.socket | None,
    sooner: tuple[Sooner, ...],
    writes: Sequence[str],
) -> None:
    os.setsid()
    for module, name, value in sooner:
        at = importlib.import_module(module)
        assert hasattr(at, name), f"{module}.{name}"
        setattr(at, name, value)
    if listener is not None:
        os.dup2(listener.fileno(), 3)
        environment |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(written, descriptor)
    _become_confined(writes, words, environment)


def _carry_out(
    writes: Sequence[str], words: tuple[str, ...], environment: dict[str, str], folder: str
) -> None:
    _speak_into(folder)
    _become_confined(writes, words, environment)


def _be_one_of_several(kinds: tuple[str, ...], environment: dict[str, str], folder: str) -> None:
    from app.server.processes import command_of

    _speak_into(folder)
    os.environ.clear()
    os.environ.update(environment)
    (alive, _held), (_reader, writer) = os.pipe(), os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _python, _m, module, *words = command_of(kinds[0], (alive, writer, listener.fileno()))
        sys.argv = [module, *words]
        runpy.run_module(module, run_name="__main__")


def _speak_into(folder: str) -> None:
    """Read from a file of a folder, and write into two."""
    for descriptor, name, mode in (
        (0, "in", os.O_RDONLY),
        (1, "out", os.O_WRONLY | os.O_CREAT),
        (2, "errors", os.O_WRONLY | os.O_CREAT),
    ):
        opened = os.open(f"{folder}/{name}", mode)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))


def _become_confined(
    writes: Sequence[str], words: tuple[str, ...], environment: dict[str, str]
) -> None:
    """Carry out a command, which can write to these folders alone if there are any."""
    from app.cli import main

    if writes:
        os.chdir("/")
        confine(writes)

    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["helpline", *words]
    main()
