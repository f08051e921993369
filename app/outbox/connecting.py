"""Connections to addresses that were checked after their name was resolved."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import httpcore2
import httpx2


class _Checked(httpcore2.AnyIOBackend):
    """Connects to the addresses that `may_be` allows."""

    def __init__(self, may_be: Callable[[str], bool], refused: str) -> None:
        self._may_be, self._refused = may_be, refused

    async def connect_tcp(self, host: str, port: int, *arguments: Any, **values: Any) -> Any:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from None
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        # A name that leads elsewhere as well is not trusted at all.
        if not addresses or not all(self._may_be(one) for one in addresses):
            raise httpcore2.ConnectError(self._refused)
        trouble: Exception = httpcore2.ConnectError("no address")
        for address in addresses:
            try:
                return await super().connect_tcp(address, port, *arguments, **values)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                trouble = error
        raise trouble


class CheckedTransport(httpx2.AsyncHTTPTransport):
    """Connects to the addresses that `may_be` allows, and says `refused` of others."""

    def __init__(self, may_be: Callable[[str], bool], refused: str) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context(trust_env=False),
            network_backend=_Checked(may_be, refused),
        )
