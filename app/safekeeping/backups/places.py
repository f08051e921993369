"""Where back-ups are, and how their files are named.

```
TARGET/SYSTEM/base/20270131T021503Z.tar.gz.age    the whole server
TARGET/SYSTEM/base/20270131T021503Z.json          what it is; written last
TARGET/SYSTEM/log/0000000100000000000000A7.gz.age what was written, segment by segment
```

`SYSTEM` is the identifier that PostgreSQL gives to each server. Every file is written under a name
that ends with `.part`, brought to the disk, and then renamed.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from app.errors import BadSettings

BASE, LOG = ".tar.gz.age", ".gz.age"
# Names of segments, of the histories of time lines, and of the marks of back-ups.
SEGMENT = re.compile(r"[0-9A-F]{24}")
ARCHIVED = re.compile(r"[0-9A-F]{24}(\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history")


class BackupRefused(BadSettings):
    """A back-up cannot be made, read or restored; the text says why and what to do."""


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


@dataclass(frozen=True)
class Place:
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
        return [a for a, b in pairwise(names) if a[:8] == b[:8] and _number(b) != _number(a) + 1]

    def segments(self) -> list[str]:
        """Return the names of what the log holds, in the order in which it was written."""
        names = [path.name.removesuffix(LOG) for path in self.logs.glob(f"*{LOG}")]
        return sorted(name for name in names if ARCHIVED.fullmatch(name))


def _number(segment: str) -> int:
    """Return the number of a segment of 16 megabytes, as the server's own are."""
    return int(segment[8:16], 16) * 256 + int(segment[16:], 16)


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


def places_in(source: Path) -> list[Place]:
    """Return the servers whose back-ups are in a folder. Raises BackupRefused if there are none."""
    if not source.is_dir():
        raise BackupRefused(f"There is no folder {source}.")
    if (source / "base").is_dir():
        return [Place(source)]
    found = [Place(path.parent) for path in sorted(source.glob("*/base")) if path.is_dir()]
    if not found:
        raise BackupRefused(f"{source} holds no back-up of this program.")
    return found


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
