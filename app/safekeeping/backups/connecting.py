"""Connections of back-ups: a server that is silent, or gone, is given up after a while.

A thread that waited for it for ever would hold the lock of the folder: no back-up could be made.
"""

import contextlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import tuple_row

from app.safekeeping.backups.places import BackupRefused

# Seconds: until a connection is made, that a statement runs, and that all questions of a connection
# take together.
_CONNECTS_WITHIN, _STATEMENT, ANSWERS_WITHIN = 20, 30, 60.0
# A machine that is gone is noticed within about half a minute, in seconds and milliseconds; see
# https://www.postgresql.org/docs/18/libpq-connect.html
_NOTICES = {
    **{"keepalives": 1, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3},
    "tcp_user_timeout": 30_000,
}
_UNCLEAR = (
    "The address of the server is not read as it is meant. In its password write %40 for @, %2F "
    "for /, %3A for : and %25 for %."
)


def limited(address: str, **more: Any) -> str:
    """Return an address with limits; those that it has itself win. Raises BackupRefused."""
    given = parts_of(address)
    return make_conninfo(**{"connect_timeout": _CONNECTS_WITHIN, **_NOTICES, **given, **more})


def parts_of(address: str) -> dict[str, Any]:
    """Return the parts of an address. Raises BackupRefused if a part may be one of the password."""
    try:
        parts = conninfo_to_dict(address)
    except psycopg.ProgrammingError:
        raise BackupRefused(_UNCLEAR) from None
    where = [str(parts.get(name) or "") for name in ("host", "port", "dbname")]
    if any("@" in part for part in where) or not re.fullmatch(r"[\d,]*", where[1]):
        raise BackupRefused(_UNCLEAR)
    return dict(parts)


@contextlib.contextmanager
def asked(
    address: str, *, within: float = ANSWERS_WITHIN, rows: Any = tuple_row
) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection for a few questions, which take `within` seconds at most together.

    Raises BackupRefused if the server does not answer within that time, and psycopg.Error.
    """
    given = parts_of(address).get("options") or ""
    options = f"-c statement_timeout={_STATEMENT * 1000} {given}".strip()
    with (
        psycopg.connect(
            limited(address, options=options), autocommit=True, row_factory=rows
        ) as connection,
        _given_up(connection, within),
    ):
        yield connection


@contextlib.contextmanager
def _given_up(connection: psycopg.Connection[Any], within: float) -> Iterator[None]:
    """End a connection when time is up, whatever its thread waits for."""
    ended = threading.Event()
    # A number of its own: that of the connection may be another file's when time is up.
    line = socket.socket(fileno=os.dup(connection.fileno()))

    def end() -> None:
        ended.set()
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(within, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except psycopg.Error:
        if ended.is_set():
            raise BackupRefused(f"The server did not answer within {within:g} seconds.") from None
        raise
    finally:
        timer.cancel()
        timer.join()
        line.close()


def told_by(error: psycopg.Error, address: str) -> str:
    """Return what an error says, in one line, and of the address its host and port alone.

    What stands in a password without being written as the address demands it is read as a host, and
    libpq repeats that.
    """
    if error.diag.message_primary:
        return error.diag.message_primary
    try:
        parts = parts_of(address)
    except BackupRefused as refused:
        return str(refused)
    where = f"{parts.get('host') or 'this machine'}, port {parts.get('port') or 5432}"
    first = (str(error).strip().splitlines() or ["without a word"])[0]
    reason = first.rpartition("failed: ")[2]
    if re.search("host name|resolve host", reason) and not reason.startswith("FATAL"):
        reason = "this host is not known, or its certificate is for another one"
    return f"{where}: {reason}"
