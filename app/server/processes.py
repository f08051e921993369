"""Several web processes on the same sockets, and one for the jobs: what ends is started again."""

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from app.log import log
from app.settings import Settings

# Seconds to wait before a process is started again; the wait doubles with each failure up to
# LONGEST_PAUSE. A process that ran for longer than STARTED_AFTER counts as started.
AGAIN_AFTER = 1.0
LONGEST_PAUSE = 30.0
STARTED_AFTER = 10.0
# Seconds within which a process must stop.
STOPS_WITHIN = 20.0
# The exit code of a process that refuses to start, and has said why.
_REFUSED = 2


def serve_many(
    settings: Settings,
    listeners: list[socket.socket],
    workers: int,
    with_worker: bool,
    ready: Callable[[], None],
) -> None:
    """Run several web processes on the same sockets, and one process for the jobs.

    If a process refuses to start before any serves, exit with its code: every other would refuse,
    too.
    """
    gc.enable()
    os.environ["HELPLINE_DATABASE_URL"] = settings.database_url or ""
    # The tables are as they should be by now: no other process needs the role that owns them.
    for name in ("HELPLINE_MIGRATION_DATABASE_URL", "HELPLINE_MIGRATION_DATABASE_URL_FILE"):
        os.environ.pop(name, None)
    # The address is known by now; a child reads the other secrets from their files.
    os.environ.pop("HELPLINE_DATABASE_URL_FILE", None)
    stopping, served, refused = threading.Event(), threading.Event(), threading.Event()

    def ended(code: int) -> None:
        if code == _REFUSED and not served.is_set():
            refused.set()
            stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    reader, writer = os.pipe()
    # Nothing is ever written into it. It ends with this process, however that dies.
    alive, _held = os.pipe()
    kept = [("web", (alive, writer, *(one.fileno() for one in listeners)))] * workers
    if with_worker:
        kept.append(("worker", (alive,)))
    keepers = [
        threading.Thread(target=keep_running, args=(command_of(kind, own), own, stopping, ended))
        for kind, own in kept
    ]
    for keeper in keepers:
        keeper.start()
    awaited = (reader, workers, served, ready)
    threading.Thread(target=_when_ready, args=awaited, daemon=True).start()
    try:
        # In steps: a wait without a timeout would not see the signal.
        while not stopping.wait(0.5):
            pass
    finally:
        stopping.set()
        for keeper in keepers:
            keeper.join()
    if refused.is_set():
        sys.exit(_REFUSED)


def _when_ready(
    reader: int, workers: int, served: threading.Event, ready: Callable[[], None]
) -> None:
    """Set `served` once one web process serves; call `ready` once all do. Each writes one byte."""
    for _ in range(workers):
        os.read(reader, 1)
        served.set()
    ready()


def command_of(kind: str, handles: tuple[int, ...]) -> list[str]:
    """Return the command of a process: `web` or `worker`, and the open files that it inherits."""
    return [sys.executable, "-m", "app.server", kind, *(str(handle) for handle in handles)]


def keep_running(
    command: list[str],
    handles: tuple[int, ...],
    stopping: threading.Event,
    ended: Callable[[int], None] | None = None,
) -> None:
    """Run one process, and start it again whenever it ends before it is told to stop: at once if it
    had run for a while, else after a pause, in which the others have the machine.

    `ended` is told its exit code each time.
    """
    pause = 0.0
    while not stopping.wait(pause):
        longer = min(2 * pause or AGAIN_AFTER, LONGEST_PAUSE)
        began = time.monotonic()
        try:
            process = subprocess.Popen(command, pass_fds=handles)
        except OSError as error:
            # The machine has no room for another process just now.
            kind, pause = type(error).__name__, longer
            log().error("a process could not be started", area="server", exception_type=kind)
            continue
        code = _end_of(process, stopping)
        if code is None:
            return
        if ended is not None:
            ended(code)
        pause = longer if time.monotonic() < began + STARTED_AFTER else 0.0
        if not stopping.is_set():
            log().error(
                "a process ended and is started again",
                area="server",
                process="".join(command[3:4]),
                code=code,
                seconds=pause,
            )


def _end_of(process: subprocess.Popen[bytes], stopping: threading.Event) -> int | None:
    """Return the exit code of a process that ends by itself, or None once it was told to stop."""
    while not stopping.wait(0.2):
        if process.poll() is not None:
            return process.returncode
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
    return None


def end_with_parent(alive: int) -> None:
    """Stop this process as by SIGTERM when its parent is gone: no other would start it again, and
    it would keep the port from a new server."""

    def watch() -> None:
        os.read(alive, 1)
        log().error("the process that kept this one is gone", area="server")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
