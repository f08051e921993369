"""Folders with a database server that is migrated: each is made once in a run of tests.

Each process of a run has a server of its own. To make its folder and to migrate takes seconds, to
copy it a moment.
"""

import fcntl
import os
import subprocess
from collections.abc import Callable
from pathlib import Path


def made_or_copied(
    make: Callable[[], None], mine: Path, of_this_process: Path, name: str = "template"
) -> None:
    """Have `make` make the folder `mine`, or copy what another process made by this name.

    `of_this_process` is its folder for temporary files, in that of the whole run.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        make()
        return
    shared = of_this_process.parent / name
    with open(shared.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            make()
            _copy(mine, shared.with_suffix(".part"))
            shared.with_suffix(".part").rename(shared)
            return
    _copy(shared, mine)


def _copy(folder: Path, to: Path) -> None:
    # With its owners: the server runs as a user of its own.
    subprocess.run(["cp", "-a", folder, to], check=True)
