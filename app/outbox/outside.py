"""Requests to other people's servers, which must be outside: never to our own network.

An address is checked after its name was resolved, and the connection goes to the address that was
checked: a name that means something else a moment later gains nothing. Redirects are not followed,
and TLS is verified for the name.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2

from app.settings import Settings

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# The only addresses of IPv6 that are given out for the public internet (IANA).
_UNICAST = ipaddress.IPv6Network("2000::/3")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_outside(text: str) -> bool:
    """Return whether an address is one of the public internet.

    An IPv6 address that holds an IPv4 address is as good as that one. Others, such as site-local
    addresses (`fec0::/10`) and the old way to hold an IPv4 address (`::a.b.c.d`), are inside.
    """
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and not (
        address in _UNICAST or address in _NAT64 or address.ipv4_mapped is not None
    ):
        return False
    return all(one.is_global and not one.is_multicast for one in (address, *_within(address)))


def _within(address: Address) -> Iterable[Address]:
    if not isinstance(address, ipaddress.IPv6Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


class _Outside(httpcore2.AnyIOBackend):
    """Connects to public addresses only."""

    async def connect_tcp(self, host: str, port: int, *arguments: Any, **values: Any) -> Any:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from None
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        # A name that leads inside as well is not trusted at all.
        if not addresses or not all(is_outside(one) for one in addresses):
            raise httpcore2.ConnectError("the address is not outside")
        trouble: Exception = httpcore2.ConnectError("no address")
        for address in addresses:
            try:
                return await super().connect_tcp(address, port, *arguments, **values)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                trouble = error
        raise trouble


class _Transport(httpx2.AsyncHTTPTransport):
    def __init__(self) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context(trust_env=False), network_backend=_Outside()
        )


def client_for_outside(settings: Settings) -> httpx2.AsyncClient:
    """Return a client for servers of others. Only the demo and the tests reach this machine."""
    transport = None if settings.reach_own_network else _Transport()
    return httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False)


def client_for_own() -> httpx2.AsyncClient:
    """Return a client for a server whose address the operator has set: it may be inside."""
    return httpx2.AsyncClient(trust_env=False, follow_redirects=False)
