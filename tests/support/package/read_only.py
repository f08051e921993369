"""Runs a command for which all is read-only but some folders: `read_only.py FOLDERS -- COMMAND`.

As in a container with a read-only root. Linux does it for any user (Landlock, since 5.13), and
without a container: what the command and its children try to write elsewhere is refused, also to
root. The program knows nothing of it.
"""

import ctypes
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

# landlock(7): the numbers of the calls, which are the same on all machines, and of the rights.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_ASKS_VERSION, _BENEATH = 1, 1
_NO_NEW_PRIVILEGES = 38
# To write a file, to remove folders and files, and to make what there can be in a folder.
_WRITING = sum(1 << right for right in (1, *range(4, 13)))
# With the versions 2 and 3: to move into another folder, and to cut a file off.
_MOVING, _CUTTING = 1 << 13, 1 << 14


class _Rights(ctypes.Structure):
    _fields_ = (("rights", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("folder", ctypes.c_int32))


def _call(number: int, *given: object) -> int:
    answer = _LIBRARY.syscall(number, *given)
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock ({platform.release()}): {os.strerror(code)}")
    return int(answer)


_LIBRARY = ctypes.CDLL(None, use_errno=True)


def confine(folders: Sequence[str]) -> None:
    """Let this process and its children write to these folders alone from now on."""
    version = _call(_CREATE, None, ctypes.c_size_t(0), _ASKS_VERSION)
    rights = _WRITING | (_MOVING if version >= 2 else 0) | (_CUTTING if version >= 3 else 0)
    size = ctypes.c_size_t(ctypes.sizeof(_Rights))
    rules = _call(_CREATE, ctypes.byref(_Rights(rights)), size, 0)
    # Devices, such as /dev/null, can be written to with a read-only root, too.
    for folder in (*folders, "/dev"):
        at = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        _call(_ADD, rules, _BENEATH, ctypes.byref(_Beneath(rights, at)), 0)
        os.close(at)
    _LIBRARY.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _call(_RESTRICT, rules, 0)
    os.close(rules)


def read_only(*folders: Path) -> list[str]:
    """Return what stands before a command, for which all but these folders is read-only."""
    return [sys.executable, str(Path(__file__)), *(str(one) for one in folders), "--"]


if __name__ == "__main__":
    parting = sys.argv.index("--")
    confine(sys.argv[1:parting])
    command = sys.argv[parting + 1 :]
    os.execvp(command[0], command)
