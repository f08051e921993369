"""PostgreSQL's replication protocol: a copy of the whole server, and what it has written since.

The protocol is spoken over psycopg's libpq, so the connection is what the program's other ones
are, with TLS as its address says. The tools in the package of the program's own server were built
without TLS. The commands and messages are those of the manual, chapter "Streaming Replication
Protocol"; every wait is one for the socket, so other threads go on.
"""

import select
import struct
import tarfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import pq

from app.safekeeping.backups.connecting import limited, told_by
from app.safekeeping.backups.places import BackupRefused

# Seconds without a word from the server. Before a copy it first writes its memory to the disk.
_SILENT, _SILENT_BEFORE_COPY = 60, 1800
# Bytes of zeros with which an archive of tar ends, and the size of its blocks.
_END, _BLOCK = 1024, 512
_MANIFEST = "backup_manifest"


class ReplicationLink:
    """A connection that understands the commands of replication."""

    def __init__(self, pgconn: Any) -> None:
        self.pgconn = pgconn

    def send(self, command: str, *, silent: int = _SILENT) -> pq.abc.PGresult | None:
        """Send a command and return its first result. Raises BackupRefused."""
        self.pgconn.send_query(command.encode())
        return self.result(silent)

    def result(self, silent: int = _SILENT) -> pq.abc.PGresult | None:
        """Return the next result of the command; None after the last. Raises BackupRefused."""
        self.pgconn.flush()
        while self.pgconn.is_busy():
            self._wait(silent)
        found: pq.abc.PGresult | None = self.pgconn.get_result()
        if found is not None and found.status == pq.ExecStatus.FATAL_ERROR:
            raise BackupRefused(f"The server refused: {_reason(found)}")
        return found

    def rows(self, command: str) -> list[list[bytes | None]]:
        """Return what a command answers."""
        found, rows = self.send(command), []
        while found is not None:
            rows.extend(_rows(found))
            found = self.result()
        return rows

    def messages(self) -> Iterator[memoryview]:
        """Return the messages of a copy that has begun, until it ends."""
        while True:
            size, data = self.pgconn.get_copy_data(1)
            if size > 0:
                yield data
            elif size == 0:
                self._wait(_SILENT)
            else:
                return

    def say(self, message: bytes) -> None:
        """Send a message within a copy in both directions."""
        self.pgconn.put_copy_data(message)
        self.pgconn.flush()

    def _wait(self, seconds: int) -> None:
        if not select.select([self.pgconn.socket], [], [], seconds)[0]:
            raise BackupRefused(f"The server said nothing for {seconds} seconds.")
        self.pgconn.consume_input()


def _rows(found: pq.abc.PGresult) -> list[list[bytes | None]]:
    return [[found.get_value(row, n) for n in range(found.nfields)] for row in range(found.ntuples)]


def _reason(found: pq.abc.PGresult) -> str:
    said = found.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"without a word"
    return bytes(said).decode(errors="replace")


@contextmanager
def linked(address: str) -> Iterator[ReplicationLink]:
    """Yield a connection for replication. Raises BackupRefused if it is refused or lost."""
    # Of a database, not of the whole server: then the ordinary line of pg_hba.conf lets it in.
    try:
        connection = psycopg.connect(limited(address, replication="database"), autocommit=True)
        try:
            yield ReplicationLink(connection.pgconn)
        finally:
            # Also in the middle of a copy, which the server ends then.
            connection.close()
    except psycopg.Error as error:
        said = told_by(error, address)
        raise BackupRefused(f"The connection for replication failed: {said}") from None


# -- a copy of the whole server ----------------------------------------------------------------


def hold(link: ReplicationLink) -> None:
    """Have the server keep what it writes until the connection ends, however it ends.

    The copy ends with what was written while it was made. Without this the server throws that away
    at its second checkpoint; the slot of `slots.py` moves on meanwhile. Raises BackupRefused.
    """
    name = f"helpline_copy_{link.pgconn.backend_pid}"
    link.rows(f"CREATE_REPLICATION_SLOT {name} TEMPORARY PHYSICAL (RESERVE_WAL)")


def copied(link: ReplicationLink, label: str) -> Iterator[bytes]:
    """Return the pieces of an archive of tar, compressed, with every file and their checksums.

    It is complete only if nothing is raised until its end. Raises BackupRefused.
    """
    packed = zlib.compressobj(1, zlib.DEFLATED, 31)
    for piece in _archive(link, label):
        yield packed.compress(piece)
    yield packed.flush()


def _archive(link: ReplicationLink, label: str) -> Iterator[bytes]:
    link.send(
        f"BASE_BACKUP (LABEL '{label}', CHECKPOINT 'fast', WAL, WAIT 0, MANIFEST 'yes')",
        silent=_SILENT_BEFORE_COPY,
    )
    spaces = link.result(_SILENT_BEFORE_COPY)
    if spaces is None or len(_rows(spaces)) != 1:
        raise BackupRefused(
            "The server keeps data in more than one tablespace. These back-ups take the one "
            "folder of its data alone: move everything into pg_default, or use the server's tools."
        )
    link.result()
    held, manifest = b"", bytearray()
    in_manifest = False
    for message in link.messages():
        kind = bytes(message[:1])
        if kind == b"m":
            in_manifest = True
        elif kind == b"d" and in_manifest:
            manifest += message[1:]
        elif kind == b"d":
            # The list of files comes last, and goes in before the end of the archive.
            held += message[1:]
            yield held[:-_END]
            held = held[-_END:]
    ended, last = [], link.result()
    while last is not None:
        ended.append(last.status)
        last = link.result()
    if pq.ExecStatus.TUPLES_OK not in ended or not manifest or held.strip(b"\0"):
        raise BackupRefused("The server ended the copy before it was complete.")
    member = tarfile.TarInfo(_MANIFEST)
    member.size, member.mode = len(manifest), 0o600
    yield member.tobuf() + bytes(manifest) + bytes(-len(manifest) % _BLOCK + _END)


# -- what was written since --------------------------------------------------------------------

# From 2000 on, as the server counts.
_WRITTEN = struct.Struct("!cQQq")
ALIVE = struct.Struct("!cQqB")
_REPLY = struct.Struct("!cQQQqB")


def written_since(
    link: ReplicationLink, slot: str, begin: int, until: int, time_line: int
) -> Iterator[memoryview]:
    """Return what the server wrote between two places of its log, piece by piece.

    More than that may come. The slot does not move by it. Raises BackupRefused.
    """
    place = f"{begin >> 32:X}/{begin & 0xFFFFFFFF:X}"
    link.send(f"START_REPLICATION SLOT {slot} PHYSICAL {place} TIMELINE {time_line}")
    at, came_at = begin, time.monotonic()
    for message in link.messages():
        kind = bytes(message[:1])
        if kind == b"w":
            came_at = time.monotonic()
            _, start, _, _ = _WRITTEN.unpack_from(message)
            if start != at:
                raise BackupRefused("The server left out a part of what it wrote.")
            piece = message[_WRITTEN.size :]
            at += len(piece)
            yield piece
        elif kind == b"k" and ALIVE.unpack_from(message)[3]:
            # No place is named: a server that waits for copies must not count this one.
            link.say(_REPLY.pack(b"r", 0, 0, 0, 0, 0))
        if at >= until:
            return
        if time.monotonic() - came_at > _SILENT:
            raise BackupRefused(f"The server sent nothing of its log for {_SILENT} seconds.")
    raise BackupRefused("The server ended its log before the place that it had named.")
