"""Where back-ups are, and how their files are named.

```
TARGET/SYSTEM/base/20270131T021503Z.tar.gz.age    the whole server
TARGET/SYSTEM/base/20270131T021503Z.json          what it is; written last
TARGET/SYSTEM/log/0000000100000000000000A7.gz.age what was written, segment by segment
TARGET/SYSTEM/log/...A8.partial.gz.age            the last segment, as far as it was written
```

`SYSTEM` is the identifier that PostgreSQL gives to each server. Every file is written under a name
that ends with `.part`, brought to the disk, and then renamed.
"""

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from app.database.roles import SUPERUSER
from app.errors import BadSettings

BASE, LOG = ".tar.gz.age", ".gz.age"
# A segment of which only the beginning was written.
PARTIAL = ".partial"
# Names of segments, of the histories of time lines, and of the marks of back-ups.
SEGMENT = re.compile(r"[0-9A-F]{24}")
ARCHIVED = re.compile(r"[0-9A-F]{24}(\.[0-9A-F]{8}\.backup|\.partial)?|[0-9A-F]{8}\.history")
# Bytes of a segment: of the program's own server, and of every other one that was not made with
# another size.
SEGMENT_SIZE = 16 * 1024 * 1024


class BackupRefused(BadSettings):
    """A back-up cannot be made, read or restored; the text says why and what to do."""


class PartMissing(BackupRefused):
    """A restore cannot go from the last back-up to now any more: a new one has to begin."""


@dataclass(frozen=True)
class Made:
    """One complete back-up, as its description says."""

    name: str
    system: str
    begun_at: str
    ended_at: str
    # The segment in which it began: what is older is not needed for it.
    first_segment: str
    # Of the server, such as 180006.
    server_version: int
    size: int
    sha256: str
    # The public keys for which it was encrypted.
    recipients: list[str]
    # The database of the program in that server, and the role that the server was made with.
    database: str = SUPERUSER
    superuser: str = SUPERUSER

    @property
    def time_line(self) -> str:
        """Return the time line on which it began, as in the names of segments."""
        return self.first_segment[:8]


@dataclass(frozen=True)
class BackupFolder:
    """The folder of one server's back-ups."""

    folder: Path

    @property
    def bases(self) -> Path:
        return self.folder / "base"

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    def make(self) -> None:
        for folder in (self.bases, self.logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def base_of(self, name: str) -> Path:
        return self.bases / f"{name}{BASE}"

    def describe(self, made: Made) -> None:
        with written(self.bases / f"{made.name}.json") as file:
            file.write(json.dumps({"backup": 1, **asdict(made)}, indent=2).encode())

    def all(self) -> list[Made]:
        """Return the complete back-ups, the oldest first. Raises BackupRefused."""
        return [_described(path) for path in sorted(self.bases.glob("*.json"))]

    def gaps(self) -> list[str]:
        """Return the segments after which one is missing: a restore that needs it ends there."""
        names = [name for name in self.segments() if SEGMENT.fullmatch(name)]
        return [
            a for a, b in pairwise(names) if a[:8] == b[:8] and number_of(b) != number_of(a) + 1
        ]

    def breaks_after(self, made: Made) -> bool:
        """Return whether a part of what was written since a back-up is missing."""
        # Other time lines are those of a server from before a restore.
        names = [name for name in self.segments() if name[:8] == made.time_line]
        whole = {number_of(name) for name in names if SEGMENT.fullmatch(name)}
        begun = {number_of(name) for name in names if name.endswith(PARTIAL)}
        first, last = number_of(made.first_segment), max(whole | begun, default=-1)
        return last < first or not whole.issuperset(range(first, last))

    def segments(self) -> list[str]:
        """Return the names of what the log holds, in the order in which it was written."""
        names = [path.name.removesuffix(LOG) for path in self.logs.glob(f"*{LOG}")]
        return sorted(name for name in names if ARCHIVED.fullmatch(name))


def number_of(segment: str) -> int:
    """Return the number of a segment."""
    return int(segment[8:16], 16) * 256 + int(segment[16:24], 16)


def segment_named(time_line: int, number: int) -> str:
    """Return the name of a segment."""
    return f"{time_line:08X}{number >> 8:08X}{number & 0xFF:08X}"


def _described(path: Path) -> Made:
    try:
        values = json.loads(path.read_text())
        if values.pop("backup") != 1:
            raise ValueError
        return Made(**values)
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupRefused(
            f"The description {path.name} of a back-up cannot be read: it was cut or changed, or a "
            "newer version of the program wrote it."
        ) from None


def places_in(source: Path) -> list[BackupFolder]:
    """Return the servers whose back-ups are in a folder. Raises BackupRefused if there are none."""
    if not source.is_dir():
        raise BackupRefused(f"There is no folder {source}.")
    if (source / "base").is_dir():
        return [BackupFolder(source)]
    found = [BackupFolder(path.parent) for path in sorted(source.glob("*/base")) if path.is_dir()]
    if not found:
        raise BackupRefused(f"{source} holds no back-up of this program.")
    return found


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process writes here. Raises BackupRefused after a while."""
    handle = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        for _ in range(600):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
        else:
            raise BackupRefused("Another back-up is being made. Wait until it has ended.")
        yield
    finally:
        os.close(handle)


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Write a file that is there as a whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    try:
        with open(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
