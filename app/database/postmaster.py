"""Which process serves the folder of a PostgreSQL, and waiting for it.

A server writes the number of its process into its folder. After a hard stop the file stays, and
the number may be that of any other process by now, even of another helpline's server. That one is
neither waited for, nor attached to, nor stopped.

In another container the number means nothing: a server there is known by the lock that it holds.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.errors import BadSettings
from app.log import log

# Between two looks, in seconds.
_BETWEEN_LOOKS = 0.2
# How long is waited before the program says so, and between two times that it does, in seconds.
SAYS_AFTER, SAYS_AGAIN = 2, 30
# A server that repairs itself writes into its log every ten seconds how far it is, however long it
# takes. One that writes nothing for this many seconds is stuck.
LONGEST_SILENCE = 600
# How long the lock of a server is waited for that is not seen here, in seconds: the last of its
# processes may end after it.
ENDS_WITHIN = 5


def lines_of(folder: Path) -> list[str]:
    """Return what a server says of itself, its process first. Raises FileNotFoundError."""
    return _lines(folder / "postmaster.pid")


def _lines(path: Path) -> list[str]:
    # After a power cut there may be anything in it. A path may be of bytes that are no UTF-8.
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    return [line.strip() for line in text.split("\n")]


def serves(pid: str, folder: Path) -> bool:
    """Return whether a process is the server of this very folder."""
    import psutil

    try:
        process = psutil.Process(int(pid))
        # PostgreSQL serves no folder of another user.
        if "postgres" not in process.name() or process.uids().effective != folder.stat().st_uid:
            return False
        return _place_of(process).samefile(folder)
    except (ValueError, OverflowError, IndexError, OSError, psutil.Error):
        return False


def _place_of(process: Any) -> Path:
    """Return the folder of a server. It has changed into it."""
    import psutil

    try:
        if not Path("/proc/self/cwd").exists():
            # Not on Linux.
            return Path(process.cwd())
        # If a server runs in a container, its path names another folder here; this leads to its
        # own.
        place = Path(f"/proc/{process.pid}/cwd")
        place.stat()
        return place
    except (PermissionError, psutil.AccessDenied):
        words = process.cmdline()
        return Path(words[words.index("-D") + 1])


def forget_the_dead(folder: Path) -> None:
    """Remove the files with the number of a server that a hard stop or a power cut ended.

    PostgreSQL does not start if a process of the same user has that number now.
    """
    found = list(folder.glob(".s.PGSQL.*.lock"))
    # What is no path, as after a power cut, leads to nothing.
    with contextlib.suppress(FileNotFoundError, ValueError):
        sockets = Path((*lines_of(folder), *5 * [""])[4])
        if sockets.is_absolute() and sockets != folder:
            # Others may have their sockets there.
            locks = sockets.glob(".s.PGSQL.*.lock")
            found += [one for one in locks if str(folder) in _lines(one)]
    for one in (*found, folder / "postmaster.pid"):
        with contextlib.suppress(FileNotFoundError):
            if not serves(_lines(one)[0], folder):
                one.unlink()


def refuse_a_leftover(folder: Path) -> None:
    """Make sure that no server was started with the path of a folder that is new.

    Its first start would stop each of them, also a server in a container with the same path.

    Raises BadSettings.
    """
    import psutil

    for process in psutil.process_iter(attrs=["name", "cmdline"]):
        if process.info["name"] == "postgres" and str(folder) in (process.info["cmdline"] or ()):
            raise BadSettings(
                f"There is no database in {folder}, but a PostgreSQL that was started with this "
                f"folder runs: process {process.pid}. Stop it, or set HELPLINE_DATA_DIR to "
                "another folder."
            )


class Waiting:
    """Waits for a server or for another process that starts it, and says so."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "log"
        self._since = self._heard_at = time.monotonic()
        self._says_at = self._since + SAYS_AFTER
        self._heard = self._written()

    def a_moment(self, why: str, process: str | None = None) -> None:
        """Wait until the next look. Raises BadSettings if the server is stuck."""
        now = time.monotonic()
        if now >= self._says_at:
            self._says_at = now + SAYS_AGAIN
            waits = int(now - self._since)
            log().warning(why, area="database", seconds=waits, path=str(self._log))
        if (heard := self._written()) != self._heard:
            self._heard, self._heard_at = heard, now
        if now - self._heard_at > LONGEST_SILENCE:
            which = f"process {process}" if process else "the process that starts it"
            raise BadSettings(
                f"The start was given up: {why}, and for {LONGEST_SILENCE} seconds PostgreSQL has "
                f"written nothing into {self._log}. Read there what it did last. If it is stuck, "
                f"stop {which}{f' (kill -INT {process})' if process else ''}, and start the "
                "program again."
            )
        time.sleep(_BETWEEN_LOOKS)

    def _written(self) -> tuple[int, int] | None:
        try:
            found = self._log.stat()
        except OSError:
            return None
        return found.st_size, found.st_mtime_ns


@contextlib.contextmanager
def alone(data_dir: Path, folder: Path) -> Iterator[Waiting]:
    """Wait until no other process starts or stops the server of a folder.

    Nothing may start a server between the look at who serves the folder and what is done then. The
    package's own lock does not do: it differs between sessions of a user, and all folders share it.

    Raises BadSettings.
    """
    waiting = Waiting(folder)
    handle = os.open(data_dir / "postgres.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waiting.a_moment("another process starts or stops the database")
        yield waiting
    finally:
        os.close(handle)


class Held:
    """The lock of a server's folder, which the server holds for as long as a process of it runs.

    The kernel shows it to all containers with this folder, and no hard stop leaves it behind.
    """

    def __init__(self, folder: Path, waiting: Waiting) -> None:
        # It is there as soon as there is a database, and is not written again.
        self._path, self._waiting = folder / "PG_VERSION", waiting
        self._handle: int | None = None

    def take(self) -> int:
        """Return the open lock: a server that is started with it holds it. Raises BadSettings."""
        if self._handle is None:
            self._handle = os.open(self._path, os.O_RDWR)
            ends = time.monotonic() + ENDS_WITHIN
            while not _lock(self._handle):
                if time.monotonic() >= ends:
                    raise BadSettings(
                        f"A PostgreSQL that was started elsewhere works in {self._path.parent}, "
                        "probably in another container: its process is not seen from here. Only "
                        "one container may have this folder. Stop the other one and start again, "
                        "or set HELPLINE_DATA_DIR to another folder. To run a command beside the "
                        "program, run it in the program's own container."
                    )
                self._waiting.a_moment("another PostgreSQL works in the folder of the database")
        return self._handle

    def look(self) -> None:
        """Say if the server that runs holds no lock: an older version of the program started it."""
        handle = os.open(self._path, os.O_RDWR)
        try:
            if _lock(handle):
                log().warning(
                    "the database was started by an older version of the program, and does not "
                    "keep other containers from its folder: stop all processes of the program, "
                    "and start them again",
                    area="database",
                )
        finally:
            os.close(handle)

    def close(self) -> None:
        """Leave the lock to the server, or let it go if none was started."""
        if self._handle is not None:
            # Closed and not unlocked: the server has the same lock.
            os.close(self._handle)
            self._handle = None


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refuse_the_left(folder: Path, waiting: Waiting) -> None:
    """Wait until no process of a server that was killed works in a folder. Raises BadSettings."""
    import psutil

    ends = time.monotonic() + ENDS_WITHIN
    while True:
        named = [one for one in psutil.process_iter(["name"]) if one.info["name"] == "postgres"]
        left = [str(one.pid) for one in named if serves(str(one.pid), folder)]
        if not left:
            return
        if time.monotonic() >= ends:
            raise BadSettings(
                f"Processes of a PostgreSQL still work in {folder}: {', '.join(left)}. Its server "
                "was killed, or runs in a container. Stop what runs in the container; otherwise "
                f"end these processes (kill {' '.join(left)}), and start again."
            )
        waiting.a_moment("processes of a database that was killed still work in its folder")


def settle(folder: Path, waiting: Waiting, held: Held) -> None:
    """Wait until the server of a folder is ready, or there is none and the folder is ours.

    After a hard stop it first repeats what was not in its tables yet. Raises BadSettings.
    """
    while True:
        try:
            pid, *lines = lines_of(folder)
        except FileNotFoundError:
            break
        if not serves(pid, folder):
            break
        if "ready" in lines:
            held.look()
            return
        does = "is being stopped" if "stopping" in lines else "repairs itself after a hard stop"
        waiting.a_moment(f"the database {does}", pid)
    if (folder / "PG_VERSION").exists():
        _refuse_the_left(folder, waiting)
        held.take()
    forget_the_dead(folder)
