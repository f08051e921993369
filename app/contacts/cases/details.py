"""What a camera or a program wrote into a file (place, time, author, device), and what else is in
it. A file of a stranger is looked into in a process of its own (`looking.py`), never in this one:
it may be made to take all time and memory, or to do worse.
"""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import Process
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from app.contacts.cases import looking
from app.errors import Refusal

if TYPE_CHECKING:
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
UNREADABLE = "cannot be looked into"
# The warnings that there are (`suspicions.py`); nothing else is believed.
WARNINGS = frozenset(
    {
        "macros",
        "scripts",
        "files inside",
        "two files in one",
        UNREADABLE,
        "loads from outside",
    }
)
# The points that a picture may have; the largest cameras of phones have 200 million.
MOST_POINTS = 210_000_000
# Seconds for one file; how many are worked on at once.
WITHIN, _AT_ONCE = looking.WITHIN, 2
# Bytes that may come back beyond twice those of the file: a picture that is packed anew may grow.
_MORE = 1_000_000


class Details(StrEnum):
    """What is to become of the details, as the person chooses who adds the file."""

    REMOVE = looking.REMOVE
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


class TooManyPoints(Refusal):
    status = 413

    def __init__(self, most: int) -> None:
        super().__init__(
            "A picture may have at most %(millions)s million points.", millions=most // 1_000_000
        )


class Looked(NamedTuple):
    """A file as it is kept, and warnings for its readers."""

    content: bytes
    flags: list[str]


async def without_details(
    ground: "Ground", content: bytes, media_type: str, most_points: int = MOST_POINTS
) -> bytes:
    """Return the file without what a camera or program wrote into it.

    Raises CannotRemove, TooManyPoints.
    """
    return (await look_into(ground, content, media_type, Details.REMOVE, most_points)).content


async def look_into(
    ground: "Ground",
    content: bytes,
    media_type: str,
    details: Details,
    most_points: int = MOST_POINTS,
) -> Looked:
    """Look into a file, and remove its details unless they are kept.

    What is kept is never refused because the process failed: it may be evidence, and was made to
    stop programs. It is flagged instead. Raises CannotRemove and TooManyPoints.
    """
    if details is Details.REMOVE and media_type not in REMOVABLE:
        raise CannotRemove()
    turns: asyncio.Semaphore = ground.kept.setdefault("details", asyncio.Semaphore(_AT_ONCE))
    try:
        async with turns:
            flags, made = await _looked(content, media_type, details, most_points)
    except (OSError, RuntimeError, ValueError):
        if details is Details.REMOVE:
            raise CannotRemove() from None
        return Looked(content, [UNREADABLE])
    if details is Details.KEEP:
        return Looked(content, flags)
    if not made:
        raise CannotRemove()
    return Looked(made, flags)


async def _looked(
    content: bytes, media_type: str, details: Details, most_points: int
) -> tuple[list[str], bytes]:
    """Return the warnings about a file, and what the process made of it.

    Raises OSError (also TimeoutError), RuntimeError or ValueError if it did not start, did not end
    or failed, and TooManyPoints.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        looking.__name__,
        media_type,
        details.value,
        str(most_points),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        # No secret of this program goes along.
        env={"PATH": os.defpath, "LANG": "C.UTF-8"},
    )
    try:
        async with asyncio.timeout(WITHIN):
            said = await _exchange(process, content)
    finally:
        await _end(process)
    if process.returncode == looking.TOO_MANY_POINTS:
        raise TooManyPoints(most_points)
    first, ended, made = said.partition(b"\n")
    flags = [one for one in first.decode("ascii", "replace").split(",") if one]
    if process.returncode != 0 or not ended or not WARNINGS.issuperset(flags):
        raise ValueError("the process failed")
    return flags, made


async def _exchange(process: Process, content: bytes) -> bytes:
    """Give the file to the process and return what it says. Raises ValueError if that is more than
    can be right: a process that a file took over is not to fill the memory of this one."""
    assert process.stdin is not None
    assert process.stdout is not None
    given, said, most = process.stdin, bytearray(), 2 * len(content) + _MORE

    async def give() -> None:
        # A process that ends early closes its input. The server's event loop then raises an error
        # that is none of the system's.
        with contextlib.suppress(OSError, RuntimeError):
            given.write(content)
            await given.drain()
        given.close()

    giving = asyncio.create_task(give())
    try:
        while part := await process.stdout.read(1 << 16):
            said += part
            if len(said) > most:
                raise ValueError("too much")
        await process.wait()
    finally:
        giving.cancel()
    return bytes(said)


async def _end(process: Process) -> None:
    """Kill the process if it still runs, and read what it still says, so that its pipe closes."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            while process.stdout is not None and await process.stdout.read(1 << 16):
                pass
