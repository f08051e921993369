"""Requests to services of the helpline's own that must be inside: on this machine, or in a private
network of its own. What a child writes goes to them unsealed, so it must not leave.

An address is checked after its name was resolved, and the connection goes to the address that was
checked. Redirects are not followed.
"""

import asyncio
import socket
from typing import Any

import httpcore2
import httpx2

from app.private_networks import is_inside


class _Inside(httpcore2.AnyIOBackend):
    """Connects to this machine and to private networks only."""

    async def connect_tcp(self, host: str, port: int, *arguments: Any, **values: Any) -> Any:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from None
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        # A name that leads outside as well is not trusted at all.
        if not addresses or not all(is_inside(one) for one in addresses):
            raise httpcore2.ConnectError("the address is not inside")
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
            ssl_context=httpx2.create_ssl_context(trust_env=False), network_backend=_Inside()
        )


def client_for_inside() -> httpx2.AsyncClient:
    """Return a client for services inside. It connects to nothing outside, whatever a name says."""
    return httpx2.AsyncClient(transport=_Transport(), trust_env=False, follow_redirects=False)
