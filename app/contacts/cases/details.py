"""What a camera or a program wrote into a file: place, time, author, device. It is removed in a
process of its own, which has no secret, no network address, no file and little time and memory.

This module is that process, too: `python -m app.contacts.cases.details MEDIA-TYPE` reads the file
on standard input and writes it without these details on standard output.
"""

import asyncio
import contextlib
import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING

from app.errors import Refusal

if TYPE_CHECKING:
    # Not in the process that looks into files: it loads as little as it can.
    from app.work import Ground

# The kinds from which the details can be removed.
REMOVABLE = frozenset(
    {
        "application/pdf",
        "image/jpeg",
        "image/png",
        "image/heic",
        "audio/mpeg",
        "audio/ogg",
        "audio/x-wav",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.oasis.opendocument.text",
    }
)
# Seconds for one file; how many are worked on at once; bytes of memory.
_WITHIN, _AT_ONCE, _MEMORY = 60, 2, 1536 * 1024 * 1024
_CANNOT = 3


class Details(StrEnum):
    """What is to become of the details, as the person chooses who adds the file."""

    REMOVE = "remove"
    KEEP = "keep"


class CannotRemove(Refusal):
    """The details stay in, so the person has to agree to that."""

    status = 422
    default = (
        "What the camera or program wrote into this file (place, time, author) cannot be removed: "
        "the file is of a kind for which this is not possible, is protected, or is damaged. To add "
        "it all the same, choose to keep the file exactly as it came; for programs, this is the "
        "header X-Document-Details: keep."
    )


async def without_details(
    ground: "Ground", content: bytes, media_type: str, most_points: int | None = None
) -> bytes:
    """Return the file without what a camera or program wrote into it. Raises CannotRemove.

    `most_points`: how many points a picture may have, if fewer than of a document.
    """
    if media_type not in REMOVABLE:
        raise CannotRemove()
    turns: asyncio.Semaphore = ground.kept.setdefault("details", asyncio.Semaphore(_AT_ONCE))
    async with turns:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-m",
            "app.contacts.cases.details",
            media_type,
            *([] if most_points is None else [str(most_points)]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            # No secret of this program goes along.
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        )
        try:
            async with asyncio.timeout(_WITHIN):
                cleaned, _ = await process.communicate(content)
        except (TimeoutError, OSError, RuntimeError):
            raise CannotRemove() from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
    if process.returncode != 0 or not cleaned:
        raise CannotRemove()
    return cleaned


def _bound() -> None:
    """Give up what this process does not need: memory, time, other files, other processes."""
    import resource

    for what, most in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, _WITHIN),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def _main() -> int:
    # Loaded first: afterwards no file is opened any more.
    from app.contacts.cases import removing

    _bound()
    try:
        cleaned = removing.removed(sys.stdin.buffer.read(), sys.argv[1], *map(int, sys.argv[2:]))
    except Exception:
        # A file from a stranger can fail in any way.
        return _CANNOT
    sys.stdout.buffer.write(cleaned)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(_main())
