"""The memory of the keeper: it is not written to disk, and no other process looks into it."""

import ctypes
import os
import resource

_SET_DUMPABLE = 4
# What there is, what comes, and each page only once it is used.
_CURRENT, _FUTURE, _ON_FAULT = 1, 2, 4


def lock_memory() -> str:
    """Keep this process out of core dumps, debuggers and swap. Return what could not be done."""
    libc = ctypes.CDLL(None, use_errno=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        return f"others may look into its memory ({os.strerror(ctypes.get_errno())})"
    _, most = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    # With a bound, the memory that is asked for later could be refused: the keeper would end.
    if most != resource.RLIM_INFINITY:
        return f"memory may be written to swap: no more than {most // 1024} KB may be locked"
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (most, most))
    if libc.mlockall(_CURRENT | _FUTURE | _ON_FAULT) != 0:
        return f"memory may be written to swap ({os.strerror(ctypes.get_errno())})"
    return ""
