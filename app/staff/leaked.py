"""Passwords that were published in leaks: others try them first.

The setting `HELPLINE_LEAKED_PASSWORDS` says by what they are known: a file of hashes on this
machine, which is searched here, or a service, which `app/people/leaked.py` asks before a password
is checked. What the service says is remembered for a moment: the rules of passwords are asked
inside a transaction, and no transaction waits for a server of others.
"""

import asyncio
import hashlib
import re
from datetime import timedelta
from pathlib import Path

from app.errors import Invalid
from app.log import fault, log
from app.work import Work

# How long a verdict of the service counts.
_LASTS = timedelta(minutes=2)
_TOPIC = "leaked passwords"
# A line of the file: the hash, and how often the password was seen.
_LINE = re.compile(rb"([0-9A-Fa-f]{40}):(\d+)\s*\Z")


class LeakedPassword(Invalid):
    default = (
        "This password was published in a leak, so others try it first. Choose another one, which "
        "you use nowhere else."
    )


def sha1_of(password: str) -> str:
    """Return the hash by which leaked passwords are published. It protects nothing."""
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


async def is_leaked(work: Work, password: str) -> bool:
    """Return whether a password is known from a leak, as far as the file or the service says."""
    key = work.keys.text_key(f"leaked password {password}")
    known = work.ground.memory.recall(_TOPIC, key, work.now)
    if known is not None:
        return bool(known)
    file = work.settings.leaked_file
    if file is None:
        return False
    try:
        return await asyncio.to_thread(stands_in, file, sha1_of(password))
    except OSError as error:
        log().error(
            "the file of leaked passwords cannot be read",
            area="staff",
            **fault(error),
        )
        return False


def remember(work: Work, password: str, leaked: bool) -> None:
    """Remember for a moment what the service said of a password, which is kept as a keyed hash."""
    key = work.keys.text_key(f"leaked password {password}")
    work.ground.memory.keep(_TOPIC, key, leaked, work.now + _LASTS)


def stands_in(file: Path, digest: str) -> bool:
    """Return whether a hash stands in a sorted file. A few lines are read, wherever it is.

    Raises OSError, also if the file is not one of hashes.
    """
    sought = digest.upper().encode()
    with file.open("rb") as lines:
        low, high = 0, lines.seek(0, 2)
        # All lines that begin before `low` are smaller; none that begins at `high` or later is it.
        while low < high:
            middle = (low + high) // 2
            lines.seek(max(middle - 1, 0))
            if middle > 0:
                # To the end of the line that is cut here; one that ends here loses its end alone.
                lines.readline()
            begin = lines.tell()
            line = lines.readline() if begin < high else b""
            if not line:
                high = middle
                continue
            found, times = read_line(line)
            if found == sought:
                return times > 0
            if found < sought:
                low = begin + len(line)
            else:
                high = middle
    return False


def read_line(line: bytes) -> tuple[bytes, int]:
    """Return hash and count of a line. Raises OSError if it is none of the file."""
    match = _LINE.match(line)
    if match is None:
        raise OSError("not a line of HASH:COUNT")
    return match[1].upper(), int(match[2])
