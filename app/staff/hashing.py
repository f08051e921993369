"""Hashes of passwords: made and compared, a few at a time."""

import asyncio
import functools
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError

from app.staff.models import Staff

HASHER = PasswordHash.recommended()
# An argon2 hash takes 64 MiB; two at a time are enough for a call room. The threads are their own:
# a counsellor's PIN waits for no file that others have read or checked.
_THREADS = ThreadPoolExecutor(2, thread_name_prefix="passwords")
T = TypeVar("T")


async def _apart(verb: Callable[..., T], *given: str) -> T:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, verb, *given)


async def hash_password(password: str) -> str:
    """Return the argon2 hash of a password. What a person chooses is checked before."""
    return await _apart(HASHER.hash, password)


async def is_of(password: str, hashed: str) -> bool:
    """Return whether a hash is of this password; one of a kind that is not used any more is not."""
    try:
        return await _apart(HASHER.verify, password, hashed)
    except UnknownHashError:
        return False


@functools.cache
def hash_of_no_account() -> str:
    """Return the hash that is verified where there is no such account: both take the same time."""
    return HASHER.hash(secrets.token_urlsafe(16))


async def password_is_right(staff: Staff | None, password: str) -> bool:
    """Return whether the password is right, in the same time if there is no such account."""
    known = staff.password_hash if staff and staff.active else None
    right = await _apart(lambda: HASHER.verify(password, known or hash_of_no_account()))
    return right and known is not None
