"""Requests to other people's servers, which must be outside: never to our own network.

An address is checked after its name was resolved, and the connection goes to the address that was
checked: a name that means something else a moment later gains nothing. Redirects are not followed,
and TLS is verified for the name.
"""

import ipaddress
from collections.abc import Iterable

import httpx2

from app.outbox.connecting import CheckedTransport
from app.settings import Settings

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# The only addresses of IPv6 that are given out for the public internet (IANA).
_UNICAST = ipaddress.IPv6Network("2000::/3")
# At a public address the machines of a cloud reach the service that runs them (Azure).
_OF_A_CLOUD = ipaddress.IPv4Address("168.63.129.16")
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
    return all(
        one.is_global and not one.is_multicast and one != _OF_A_CLOUD
        for one in (address, *_within(address))
    )


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


def client_for_outside(settings: Settings) -> httpx2.AsyncClient:
    """Return a client for servers of others. Only the demo and the tests reach this machine."""
    transport = (
        None
        if settings.reach_own_network
        else CheckedTransport(is_outside, "the address is not outside")
    )
    return httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False)


def client_for_own() -> httpx2.AsyncClient:
    """Return a client for a server whose address the operator has set: it may be inside."""
    return httpx2.AsyncClient(trust_env=False, follow_redirects=False)
