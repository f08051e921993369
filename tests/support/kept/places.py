"""Where the folders of tests' servers are made: in memory, where the machine has enough of it.

A database is hundreds of files, made and removed again. On a disk, to find a free entry for a new
file takes longer the more were removed in the last seconds (ext4, `recently_deleted`).
"""

import os
import shutil

MEMORY = "/dev/shm"


# Bytes. Four processes have a server each, and two of them stories with some of their own.
ENOUGH = 8 * 1024**3


def short_folder() -> str:
    """A folder for folders of servers. Its path is short: that of a socket may have 107 bytes."""
    if not os.access(MEMORY, os.W_OK | os.X_OK):
        return "/tmp"
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    enough = machine >= 2 * ENOUGH and shutil.disk_usage(MEMORY).free >= ENOUGH
    return MEMORY if enough else "/tmp"
