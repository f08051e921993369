"""Addresses of the web that are looked at before something is sent to them."""

from urllib.parse import urlsplit

import httpx2

_PORTS = {"http": 80, "https": 443}


def reads_alike(address: str) -> bool:
    """Return whether an address is http(s) and means one server to the rules that look at it and to
    the client that connects.

    The two differ about characters outside of ASCII, spaces and what stands before the scheme.
    """
    try:
        ours, theirs = urlsplit(address), httpx2.URL(address)
        host, port = ours.hostname, ours.port
    except (ValueError, httpx2.InvalidURL):
        return False
    return (
        address.isascii()
        and address.isprintable()
        and " " not in address
        and ours.scheme in _PORTS
        and bool(host)
        and (ours.scheme, host) == (theirs.scheme, theirs.raw_host.decode("ascii"))
        and (port or _PORTS[ours.scheme]) == (theirs.port or _PORTS[ours.scheme])
    )
