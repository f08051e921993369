"""What a program writes outside its folders, and what it deletes in them.

In a night each process of the server has this hook. A file that is deleted keeps a second name, so
that it is searched with the others; a file elsewhere is noted; and so is one without a name.
"""

import itertools
import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from app import cli, data_folder

# In the home of the program: names of files, and files.
NOTED, KEPT = "written-elsewhere", "deleted"
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# A terminal, and memory that no file system has.
_NO_FILES = ("/dev/null", "/dev/tty", "/dev/pts/", "/proc/self/")
_number = itertools.count()
_main = cli.main


def main() -> None:
    """Stand in for the command: watch, and carry it out."""
    home = os.environ["HOME"]
    os.makedirs(f"{home}/{KEPT}", exist_ok=True)
    # What is compiled holds no words of a child.
    sys.dont_write_bytecode = True
    sys.addaudithook(_Watch(home))
    _main()


class _Watch:
    def __init__(self, home: str) -> None:
        self._home = os.path.realpath(home)

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        if event == "open":
            self._opened(*given)
        elif event == "os.remove":
            self._deleted(*given)
        elif event == "os.rename":
            self._renamed(*given)

    def _opened(self, path: Any, _mode: Any, flags: int) -> None:
        # A descriptor was opened before.
        if isinstance(path, int) or not flags & _WRITES:
            return
        found = self._whole(path)
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            if not _is_tried():
                self._note(f"{found}, without a name")
        elif not found.startswith((self._home + "/", *_NO_FILES)):
            self._note(found)

    def _deleted(self, path: Any, folder: int = -1) -> None:
        found = self._whole(path, folder)
        if found.startswith(self._home + "/") and os.path.isfile(found):
            self._keep(found)

    def _renamed(self, _from: Any, to: Any, _folder: int = -1, folder: int = -1) -> None:
        found = self._whole(to, folder)
        if not found.startswith(self._home + "/"):
            self._note(found)

    def _whole(self, path: Any, folder: int = -1) -> str:
        beside = os.readlink(f"/proc/self/fd/{folder}") if folder >= 0 else os.getcwd()
        return os.path.realpath(os.path.join(beside, os.fsdecode(path)))

    def _keep(self, path: str) -> None:
        # What is still written in it is kept, too.
        os.link(path, f"{self._home}/{KEPT}/{os.getpid()}-{next(_number)}")

    def _note(self, words: str) -> None:
        with open(f"{self._home}/{NOTED}", "a") as noted:
            noted.write(words + "\n")


def _is_tried() -> bool:
    """Whether the program tries if it can write in its folder, with bytes of its own."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_globals.get("__name__") != data_folder.__name__:
        frame = frame.f_back
    return frame is not None


def written_elsewhere(home: Path) -> list[str]:
    """Return what was written outside the folders of the program, or without a name."""
    assert (home / KEPT).is_dir(), "it was watched"
    noted = home / NOTED
    return sorted(set(noted.read_text().splitlines())) if noted.exists() else []


WATCHED: tuple[tuple[str, str, Any], ...] = (("app.cli", "main", main),)
