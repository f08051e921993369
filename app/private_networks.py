"""Which addresses are of this machine, or of a private network of the helpline's own. Pure."""

import ipaddress
from urllib.parse import urlsplit


def is_inside(text: str) -> bool:
    """Return whether an address is one of this machine or of a private network.

    Link-local addresses are none of ours: clouds answer there with secrets of the machine.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    strange = address.is_link_local or address.is_multicast or address.is_unspecified
    return (address.is_private or address.is_loopback) and not strange


def may_be_inside(url: str) -> bool:
    """Return whether the host of a URL is an address inside, or a name that may lead to one."""
    host = urlsplit(url).hostname or ""
    try:
        return is_inside(host)
    except ValueError:
        return bool(host)
