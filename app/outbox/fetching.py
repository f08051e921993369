"""Files are fetched from servers of others: bounded in size and time, and never from our own
network."""

import asyncio
from urllib.parse import urljoin, urlsplit

import httpx2

from app.outbox.addresses import reads_alike
from app.outbox.outside import client_for_outside, client_for_own
from app.outbox.responses import Refused, TryAgain
from app.settings import Settings

# Seconds for one file: a child may send a picture of several megabytes, and we read it once.
_WITHIN = 30.0


class TooLong(Refused):
    """The file is longer than the limit."""


async def fetch(
    settings: Settings,
    address: str,
    most: int,
    *,
    auth: tuple[str, str] | None = None,
    redirects: int = 0,
    own: str = "",
) -> bytes:
    """Return a file of at most `most` bytes. A password is sent to the first server alone.

    `own`: the address of a server that the operator has set; its host may be inside our network.

    Raises TryAgain, TooLong, Refused; no error has an address in it.
    """
    try:
        async with asyncio.timeout(_WITHIN):
            for _turn in range(redirects + 1):
                is_own = is_on(own, address)
                async with client_for_own() if is_own else client_for_outside(settings) as client:
                    found = await _once(client, address, most, auth)
                if isinstance(found, bytes):
                    return found
                there = urljoin(address, found)
                if not (_is_safe(there) or is_on(own, there) or settings.reach_own_network):
                    raise Refused("sent to an address without TLS")
                address, auth = there, None
    except (httpx2.HTTPError, TimeoutError) as error:
        raise TryAgain(type(error).__name__) from None
    raise Refused("sent elsewhere too often")


def _is_safe(address: str) -> bool:
    return urlsplit(address).scheme == "https"


def is_on(own: str, address: str) -> bool:
    """Return whether an address is on the host that the operator named, and as safe."""
    if not own:
        return False
    same = reads_alike(address) and urlsplit(own).hostname == urlsplit(address).hostname
    return same and (_is_safe(address) or not _is_safe(own))


async def _once(
    client: httpx2.AsyncClient, address: str, most: int, auth: tuple[str, str] | None
) -> bytes | str:
    """Return the file, or where it is."""
    async with client.stream("GET", address, auth=auth) as answer:
        status = answer.status_code
        if status in (301, 302, 303, 307, 308):
            return str(answer.headers.get("location", ""))
        if status == 429 or status >= 500:
            raise TryAgain("not there yet", status=status, after=2)
        if status != 200:
            raise Refused("not given out", status=status, code=status)
        body = bytearray()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > most:
                raise TooLong("longer than what is taken")
        return bytes(body)
