"""`helpline keeper` in a process of another user of this machine, which a test may kill."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.kept.places import short_folder

# A user of no process of ours: by number, because a small machine may not name it.
OTHER_USER = 65_534
_AT_ONCE = 16 * 1024 * 1024


def cannot_be_another() -> str:
    """Return why no process of another user can be begun here; empty if one can."""
    if os.geteuid() != 0:
        return "only root begins processes of another user"
    if shutil.which("setpriv") is None:
        return "there is no setpriv (util-linux) on this machine"
    probe = [*_as_other(), sys.executable, "-c", "import app.cli.keeper"]
    # Another user may not enter the folder of the program.
    done = subprocess.run(probe, cwd="/", capture_output=True, check=False)
    return "" if done.returncode == 0 else "another user cannot read the program"


def _as_other() -> list[str]:
    number = str(OTHER_USER)
    return ["setpriv", "--reuid", number, "--regid", number, "--clear-groups"]


class OtherKeeper:
    """A keeper that serves this user, in a folder of its own. It can be killed and begun again."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="hlk", dir=short_folder()))
        os.chown(self._folder, OTHER_USER, OTHER_USER)
        self._folder.chmod(0o755)
        self.socket = self._folder / "socket"
        self.log = self._folder / "log"
        self.secret_key = ""
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, keys: str) -> None:
        """Begin with these keys, as they stand in its settings."""
        environment = {
            "PATH": os.environ["PATH"],
            "HELPLINE_FIELD_KEYS": keys,
            "HELPLINE_SECRET_KEY": self.secret_key,
            "HELPLINE_KEEPER_SOCKET": str(self.socket),
        }
        command = [sys.executable, "-m", "app.cli", "keeper", "--user", str(os.geteuid())]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [*_as_other(), *command], env=environment, cwd="/", stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As by `kill -9`: nothing is said, and nothing is put in order."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def forget(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def memory_holds(pid: int, wanted: bytes) -> bool:
    """Return whether these bytes are anywhere in the memory of a process that can be written."""
    return any(wanted in part for part in _memory(pid))


def _memory(pid: int) -> Iterator[bytes]:
    """Yield the memory of a process, in parts that overlap."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if found is None:
                continue
            at, end = (int(part, 16) for part in found.groups())
            while at < end:
                try:
                    memory.seek(at)
                    yield memory.read(min(_AT_ONCE + 64, end - at))
                except (OSError, OverflowError):
                    # A part that the kernel keeps for itself.
                    break
                at += _AT_ONCE
