"""The server process: its database, its listening socket, and its replacement without a gap.

A new process asks the running one for its listening sockets and starts on them. Only when it is
ready does it tell the running one to stop. Meanwhile both accept from the same sockets, so no
connection is refused. The two talk over a Unix socket in `DATA_DIR` that only this user may open.
"""

import asyncio
import contextlib
import gc
import logging
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn

from app.crashes import tell_no_words
from app.data_folder import make_folder
from app.database.running import database_of
from app.errors import BadSettings
from app.log import log, set_up_logging
from app.reading_settings import read_settings
from app.sealing.knowing import check_keys
from app.settings import Settings

# The longest path of a Unix socket, in bytes, that the known platforms accept.
_LONGEST_PATH = 100
# Connections that wait to be accepted: a few hundred rings may come at once.
_BACKLOG = 2048
# Seconds to wait for the requests of connections that were accepted last.
_LAST_REQUESTS = 0.5
# Seconds within which a running process must answer the one that replaces it.
_ANSWERS_WITHIN = 10.0
# Seconds after which it is tried again to start a process: from one failure to the next they
# double, up to the longest pause. STARTED_AFTER: one that ran for longer has started.
AGAIN_AFTER = 1.0
LONGEST_PAUSE = 30.0
STARTED_AFTER = 10.0
# Seconds within which a process must stop.
STOPS_WITHIN = 20.0
# The exit code of a process that refuses to start, and has said why.
_REFUSED = 2


def settle_memory() -> None:
    """Exempt all that is loaded from garbage collection, which stopped requests for 0.1 seconds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


class Server(uvicorn.Server):
    """A server that reports when it is ready, and ends its live streams when it is told to stop."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT, and return.

        uvicorn's own version would end the process before the database is released.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def serve_within(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until `should_exit` is set, within a program that has the signals for itself.

        Raises what the application could not start for.
        """
        await self._serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        errors = logging.getLogger("uvicorn.error")
        # What is refused is said in one sentence, once.
        errors.addFilter(self._is_no_refusal)
        try:
            with contextlib.suppress(SystemExit):
                await super().startup(sockets)
        finally:
            errors.removeFilter(self._is_no_refusal)
        if not self.started:
            # uvicorn would end the process from within a task: what else this loop runs could not
            # end, and the reason would not be told.
            raise self._failure() or RuntimeError("the server did not start")
        if self._on_ready is not None:
            # In a thread: the process that is replaced may be slow to answer.
            await asyncio.to_thread(self._on_ready)

    def _failure(self) -> BaseException | None:
        """Return what the application could not start for; uvicorn tells no reason."""
        state = getattr(self.config.loaded_app, "state", None)
        return getattr(state, "not_started_for", None)

    def _is_no_refusal(self, _: logging.LogRecord) -> bool:
        return not isinstance(self._failure(), BadSettings)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._on_ready is not None:
            for one in self.servers:
                one.close()
            # A connection that was just accepted may not have sent its request yet.
            await asyncio.sleep(_LAST_REQUESTS)
        state = getattr(self.config.loaded_app, "state", None)
        if state is not None and hasattr(state, "stopping"):
            state.stopping.set()
        await super().shutdown(sockets)


def serve(
    host: str,
    port: int,
    *,
    workers: int = 1,
    with_worker: bool = True,
    replace: bool = False,
) -> None:
    """Serve until told to stop. Raises BadSettings.

    `replace` takes over from the process that serves this port with the same `DATA_DIR`; if
    there is none, the server starts as usual.
    """
    os.environ.setdefault("HELPLINE_PUBLIC_URL", f"http://127.0.0.1:{port}")
    settings = read_settings()
    set_up_logging(settings.log_level)
    if not settings.auth_tokens:
        log().warning(
            "HELPLINE_TWILIO_ACCOUNT_SID and _AUTH_TOKEN are not set: every webhook is refused"
        )
    make_folder(settings.data_dir)
    path = _control_path(settings, port)
    taken = _ask_for_sockets(path) if replace else []
    replaces = bool(taken)
    listener = taken.pop(0) if taken else _socket_of_systemd() or listen(host, port)
    listeners = [listener, *listen_for_monitoring(settings, listener, taken)]
    with database_of(settings) as settings, Control(path, listeners) as control:
        check_keys(settings, _metadata)

        def ready() -> None:
            if replaces:
                _tell(path, b"drain\n")
            control.take_over()
            _notify_systemd()
            print(f"helpline serves on http://{host}:{port}", flush=True)

        if workers == 1:
            _serve_one(settings, listeners, with_worker, ready)
        else:
            serve_many(settings, listeners, workers, with_worker, ready)


def _serve_one(
    settings: Settings,
    listeners: list[socket.socket],
    with_worker: bool,
    ready: Callable[[], None],
) -> None:
    from app.main import make_app
    from app.work import make_ground

    application = make_app(make_ground(settings), with_worker=with_worker, phone_first=True)
    Server(config_of(application, settings), ready).run(sockets=listeners)


def config_of(application: Any, settings: Settings) -> uvicorn.Config:
    """Return how the server serves an application, with its limits of connections."""
    from app.web.connections import Limited, Unfinished, most_connections

    Limited.unfinished = Unfinished(most_connections(), proxies=settings.proxies)
    return uvicorn.Config(
        application,
        http=Limited,
        ws="none",
        log_config=None,
        access_log=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=5,
        proxy_headers=False,
        server_header=False,
    )


def _metadata() -> Any:
    from app import tables

    return tables.metadata


# -- several processes -------------------------------------------------------------------


def serve_many(
    settings: Settings,
    listeners: list[socket.socket],
    workers: int,
    with_worker: bool,
    ready: Callable[[], None],
) -> None:
    """Run several web processes on the same sockets, and one process for the jobs.

    Exits as one does that refuses to start before any serves: each would refuse the same.
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


def _work_as_child(alive: int) -> None:
    """Run the worker beside several web processes."""
    end_with_parent(alive)
    sys.argv = ["helpline", "worker"]
    runpy.run_module("app.cli", run_name="__main__")


def _serve_as_child(alive: int, writer: int, *handles: int) -> None:
    """Serve as one of several web processes; the parent has set up database and sockets."""
    tell_no_words()
    gc.disable()
    end_with_parent(alive)
    from app.main import make_app
    from app.work import make_ground

    settings = read_settings()
    set_up_logging(settings.log_level)
    application = make_app(make_ground(settings), with_worker=False, phone_first=True)
    server = Server(config_of(application, settings), lambda: _write_once(writer))
    server.run(sockets=[socket.socket(fileno=handle) for handle in handles])


def _write_once(writer: int) -> None:
    with contextlib.suppress(OSError):
        os.write(writer, b"1")


# -- the listening socket ----------------------------------------------------------------


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, and that other processes inherit. Raises BadSettings."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, UnicodeError, TypeError) as error:
        listener.close()
        why = error.strerror if isinstance(error, OSError) else "that is no host"
        raise BadSettings(
            f"Cannot listen on {host}:{port} ({why}). Choose another --port (or "
            "HELPLINE_MONITORING_PORT), or take over from the running server with --replace."
        ) from None
    listener.listen(_BACKLOG)
    listener.set_inheritable(True)
    return listener


def listen_for_monitoring(
    settings: Settings, listener: socket.socket, taken: list[socket.socket]
) -> list[socket.socket]:
    """Return the socket of HELPLINE_MONITORING_PORT, if it is set: one that was taken over, or new.

    Raises BadSettings.
    """
    host, port = settings.monitoring_address, settings.monitoring_port
    kept = [one for one in taken if one.getsockname()[:2] == (host, port)]
    for one in taken:
        if one not in kept:
            one.close()
    if port is None or kept:
        return kept
    if listener.family != socket.AF_UNIX and listener.getsockname()[1] == port:
        raise BadSettings(
            "HELPLINE_MONITORING_PORT is the port of the pages. Choose another one, which only "
            "your monitoring reaches."
        )
    return [listen(host, port)]


def _socket_of_systemd() -> socket.socket | None:
    """Return the socket that a systemd socket unit passes on, if any; see sd_listen_fds(3)."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    return socket.socket(fileno=3)


def _notify_systemd() -> None:
    """Tell systemd that we are ready and which process is the main one; see sd_notify(3)."""
    if not (address := os.environ.get("NOTIFY_SOCKET")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect("\0" + address[1:] if address.startswith("@") else address)
        sender.send(f"READY=1\nMAINPID={os.getpid()}".encode())


# -- one process talks to another --------------------------------------------------------


def _control_path(settings: Settings, port: int) -> Path:
    return settings.data_dir.resolve() / f"serve-{port}.control"


def _tell(path: Path, word: bytes) -> bool:
    """Send a word to the process that holds the control socket. Return whether it replied."""
    try:
        with socket.socket(socket.AF_UNIX) as speaker:
            speaker.settimeout(_ANSWERS_WITHIN)
            speaker.connect(str(path))
            speaker.sendall(word)
            return speaker.recv(16) == b"ok\n"
    except OSError:
        return False


def _ask_for_sockets(path: Path) -> list[socket.socket]:
    """Return the listening sockets of the running process, that of the pages first, or none."""
    try:
        with socket.socket(socket.AF_UNIX) as asker:
            asker.settimeout(_ANSWERS_WITHIN)
            asker.connect(str(path))
            asker.sendall(b"socket\n")
            _, handles, _, _ = socket.recv_fds(asker, 16, 2)
    except OSError:
        return []
    return [socket.socket(fileno=handle) for handle in handles]


class Control:
    """The Unix socket by which this process passes on its listening sockets and is told to stop."""

    def __init__(self, path: Path, listeners: list[socket.socket]) -> None:
        self._path, self._listeners = path, listeners
        self._socket: socket.socket | None = None
        self._identity: tuple[int, int] | None = None

    def __enter__(self) -> "Control":
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                found = self._path.stat()
                # Another process may hold the path by now.
                if (found.st_dev, found.st_ino) == self._identity:
                    self._path.unlink()
            self._socket.close()

    def take_over(self) -> None:
        """Answer on the control path from now on, in place of the process before."""
        if self._socket is not None:
            return
        if len(os.fsencode(self._path)) > _LONGEST_PATH:
            log().warning("this server cannot be replaced while it runs: DATA_DIR is too long")
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        prepared = self._path.with_suffix(f".{os.getpid()}")
        prepared.unlink(missing_ok=True)
        held = socket.socket(socket.AF_UNIX)
        held.bind(str(prepared))
        prepared.chmod(0o600)
        held.listen(8)
        found = prepared.stat()
        self._identity = (found.st_dev, found.st_ino)
        prepared.rename(self._path)
        self._socket = held
        threading.Thread(target=self._answer, args=(held,), daemon=True).start()

    def _answer(self, held: socket.socket) -> None:
        while True:
            try:
                other, _ = held.accept()
            except OSError:
                return
            with other, contextlib.suppress(OSError):
                other.settimeout(_ANSWERS_WITHIN)
                self._carry_out(other, other.recv(16))

    def _carry_out(self, other: socket.socket, word: bytes) -> None:
        if word == b"socket\n":
            handles = [one.fileno() for one in self._listeners]
            socket.send_fds(other, [b"here\n"], handles)
        elif word == b"drain\n":
            other.sendall(b"ok\n")
            os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    given = [int(handle) for handle in sys.argv[2:]]
    try:
        if sys.argv[1] == "worker":
            _work_as_child(*given)
        else:
            _serve_as_child(*given)
    except BadSettings as error:
        # As the command itself says it.
        print(f"helpline: {error}", file=sys.stderr)
        sys.exit(2)
