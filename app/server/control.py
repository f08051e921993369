"""One server process takes over from another without a gap.

A new process asks the running one for its listening sockets and starts on them. Only when it is
ready does it tell the running one to stop. Meanwhile both accept from the same sockets, so no
connection is refused. The two talk over a Unix socket in `DATA_DIR` that only this user may open.
"""

import contextlib
import os
import signal
import socket
import threading
from pathlib import Path

from app.log import log
from app.settings import Settings

# The longest path of a Unix socket, in bytes, that the known platforms accept.
_LONGEST_PATH = 100
# Seconds within which a running process must answer the one that replaces it.
_ANSWERS_WITHIN = 10.0


def control_path(settings: Settings, port: int) -> Path:
    return settings.data_dir.resolve() / f"serve-{port}.control"


def tell(path: Path, word: bytes) -> bool:
    """Send a word to the process that holds the control socket. Return whether it replied."""
    try:
        with socket.socket(socket.AF_UNIX) as speaker:
            speaker.settimeout(_ANSWERS_WITHIN)
            speaker.connect(str(path))
            speaker.sendall(word)
            return speaker.recv(16) == b"ok\n"
    except OSError:
        return False


def ask_for_sockets(path: Path) -> list[socket.socket]:
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
