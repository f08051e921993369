"""The folder of `HELPLINE_DATA_DIR`: made, and refused if nothing can be written to it."""

import errno
import os
import tempfile
from pathlib import Path

from app.errors import BadSettings

# In bytes: a disk that has no more room is full.
_LEAST_ROOM = 64 * 1024
# Characters of a path that are told: a wrong one may be of any length.
_TOLD = 200


def make_folder(folder: Path) -> None:
    """Make the folder, and write into it to be sure. Raises BadSettings."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_LEAST_ROOM))
    except (OSError, ValueError) as error:
        raise cannot_write(folder, error) from None


def cannot_write(path: Path, error: OSError | ValueError) -> BadSettings:
    """Return what is said of a file or folder in `HELPLINE_DATA_DIR` that cannot be written."""
    number = error.errno if isinstance(error, OSError) else None
    why = os.strerror(number) if number is not None else "it is no path"
    if number in (errno.EEXIST, errno.ENOTDIR):
        why = "it is no folder, or in none"
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        do = "Make room on its disk"
    elif number == errno.EROFS:
        do = "Mount its disk so that it can be written to"
    elif number in (errno.EACCES, errno.EPERM):
        do = f"Let it belong to the user who runs the program (number {os.geteuid()})"
    else:
        do = "Look at the path and at its disk"
    return BadSettings(
        f"The program cannot read or write {str(path)[:_TOLD]} ({why}). {do}, or set "
        "HELPLINE_DATA_DIR to another folder."
    )
