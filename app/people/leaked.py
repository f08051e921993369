"""Asks a service whether a password was published in a leak, and says how that works.

The service is told the first five of the forty characters of a hash, and answers with all hashes
that begin so, and with invented ones, so that not even the length of its answer says more. While it
is away, the rules of passwords decide with the lists that come with the program.
"""

import asyncio
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import httpx2

from app.log import fault, log
from app.outbox.outside import client_for_outside
from app.staff import leaked
from app.work import PROGRAM, Ground, Work

# A person waits for it.
_TIMEOUT = 3.0
# In bytes: a thousand hashes and their padding take a tenth of it.
_LONGEST = 512 * 1024
_TOLD = 5
_SUFFIX = re.compile(r"([0-9A-Fa-f]{35}):(\d+)")
# How long a state is believed before readiness asks the service again.
_ASKED_AGAIN = timedelta(minutes=10)
_KEPT = "leaked passwords"
# What readiness asks for; it is the beginning of no password's hash in particular.
_ANY = "00000"


class State(StrEnum):
    """How new passwords are compared with leaked ones, as readiness says it."""

    WELL = "well"
    # The service does not answer, or the file cannot be read: the program's own lists decide.
    AWAY = "away"
    UNREADABLE = "unreadable"
    WITHOUT = "own lists only"


@dataclass(frozen=True)
class _Seen:
    """Whether the service answered, and when."""

    at: datetime
    answered: bool


async def ask(work: Work, password: str) -> None:
    """Ask the service about a password that is about to be chosen, if one is set.

    It takes up to seconds: the transaction of the work is committed and let go before.
    """
    if work.settings.leaked_service is None or not password:
        return
    await work.let_go()
    digest = leaked.sha1_of(password)
    found = await _range(work.ground, digest[:_TOLD])
    if found is not None:
        leaked.remember(work, password, digest[_TOLD:] in found)


async def _range(ground: Ground, prefix: str) -> set[str] | None:
    """Return the rest of all hashes that begin so; None if the service does not answer."""
    service = ground.settings.leaked_service
    assert service is not None
    try:
        async with client_for_outside(ground.settings) as client, asyncio.timeout(_TIMEOUT):
            found = await _read(client, f"{service.rstrip('/')}/{prefix}")
    except (httpx2.HTTPError, TimeoutError, ValueError) as error:
        ground.kept[_KEPT] = _Seen(ground.clock.now(), answered=False)
        log().warning(
            "the service of leaked passwords does not answer; our own lists decide",
            area="people",
            **fault(error),
        )
        return None
    ground.kept[_KEPT] = _Seen(ground.clock.now(), answered=True)
    return found


async def _read(client: httpx2.AsyncClient, url: str) -> set[str]:
    """Return what an answer holds. Raises HTTPError, ValueError."""
    body = b""
    async with client.stream("GET", url, headers={"Add-Padding": "true"}) as answer:
        if answer.status_code != 200:
            raise ValueError("not answered with 200")
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > _LONGEST:
                raise ValueError("too long")
    found = set()
    for line in body.decode("ascii").split():
        match = _SUFFIX.fullmatch(line)
        if match is None:
            raise ValueError("not a line of HASH:COUNT")
        # Padding was seen never.
        if int(match[2]) > 0:
            found.add(match[1].upper())
    if not found:
        raise ValueError("no hashes")
    return found


async def state_of(ground: Ground) -> State:
    """Return how new passwords are compared with leaked ones now."""
    settings = ground.settings
    if settings.leaked_file is not None:
        try:
            await asyncio.to_thread(leaked.stands_in, settings.leaked_file, "7" * 40)
        except OSError:
            return State.UNREADABLE
        return State.WELL
    if settings.leaked_service is None:
        return State.WITHOUT
    seen: _Seen | None = ground.kept.get(_KEPT)
    if seen is None or ground.clock.now() - seen.at > _ASKED_AGAIN:
        await _range(ground, _ANY)
        seen = ground.kept[_KEPT]
    return State.WELL if seen is not None and seen.answered else State.AWAY


async def ask_aside(ground: Ground, password: str) -> None:
    """Ask about a password before there is a transaction."""
    await ask(Work(None, ground.clock.now(), PROGRAM, ground), password)
