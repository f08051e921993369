"""Limits on connections: the head of a request is bounded in size and time before it is read.

A connection that is too many is never the new one, which may carry a webhook of a call: the oldest
of those whose request is not complete is closed.
"""

import asyncio
import contextlib
import resource
import socket
from collections import defaultdict
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.web.headers import OF_EACH, OF_NO_REQUEST
from app.web.outlet import OUTLET, OfResponse

# In bytes: the request line and all headers of one request. Cookies are the longest.
LONGEST_HEAD = 64 * 1024
MOST_HEADERS = 100
# Seconds until a connection has sent a whole head, from its beginning or the response before.
HEAD_SECONDS = 20.0
# Bytes that may come without any of the body: the ends of chunks, and the lines after the last.
_BETWEEN_CHUNKS = 512 * 1024
# Connections of one address whose request has begun and is not complete; our own proxies have no
# such limit. One that rests between two requests is not counted: a proxy keeps many, and closing
# one would lose what it is just sending. The server closes it after some seconds of rest.
MOST_OF_ADDRESS = 128
# What stands for a connection by a socket file, which has no address: in
# `HELPLINE_TRUSTED_PROXIES`, and where a client is counted by its address. Who may connect is
# decided by the file's mode.
SOCKET_FILE = "unix"
# How many of the files that the process may open are left for the database and for files.
_OTHER_FILES = 256
_MOST_FILES = 65_536


class Unfinished:
    """The connections of a process without a complete request, the oldest first.

    Behind one of our own proxies all clients have its address: only the limit of the process counts
    for it. `proxies` are addresses, networks and `unix`, as in `HELPLINE_TRUSTED_PROXIES`.
    """

    def __init__(
        self, most: int, most_of_address: int = MOST_OF_ADDRESS, proxies: Sequence[str] = ()
    ) -> None:
        self._most, self._most_of_address = most, most_of_address
        self._proxies = [ip_network(one, strict=False) for one in proxies if one != SOCKET_FILE]
        self._trusts_socket_file = SOCKET_FILE in proxies
        # Dictionaries, because they keep their order.
        self._all: dict[Limited, None] = {}
        self._of: defaultdict[str, dict[Limited, None]] = defaultdict(dict)

    def add(self, connection: "Limited") -> None:
        """Add a connection, and close the oldest if there are too many."""
        self.remove(connection)
        own = self._of[connection.address]
        own[connection] = self._all[connection] = None
        most = self._most if connection.is_of_proxy else self._most_of_address
        for held, limit in ((own, most), (self._all, self._most)):
            if len(held) > limit:
                next(iter(held)).abort()

    def is_proxy(self, address: str) -> bool:
        """Return whether one of our own proxies has this address."""
        if address == SOCKET_FILE:
            return self._trusts_socket_file
        if not self._proxies:
            return False
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)

    def begin(self, connection: "Limited") -> None:
        """Add a connection whose request begins now; one that is known keeps its age."""
        if connection not in self._all:
            self.add(connection)

    def remove(self, connection: "Limited") -> None:
        """Forget a connection: its request is complete, or it is closed."""
        self._all.pop(connection, None)
        own = self._of.get(connection.address, {})
        own.pop(connection, None)
        if not own:
            self._of.pop(connection.address, None)

    def __len__(self) -> int:
        return len(self._all)


def most_connections() -> int:
    """Let this process open as many files as it may. Return how many connections that leaves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    held = wanted if soft == resource.RLIM_INFINITY else soft
    return max(held - _OTHER_FILES, 64)


class Limited(HttpToolsProtocol):
    """One connection, with a bound on the head of a request and on the time until it is there."""

    unfinished = Unfinished(_MOST_FILES)
    head_seconds = HEAD_SECONDS

    def __init__(self, *arguments: Any, **values: Any) -> None:
        super().__init__(*arguments, **values)
        self.address = ""
        self.is_of_proxy = False
        # Bytes since the head began, or since the last part of the body.
        self._bytes = self._lines = 0
        self._has_head = self._is_complete = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        held = transport.get_extra_info("socket")
        if held is not None and held.family == socket.AF_UNIX:
            self.client = (SOCKET_FILE, 0)
        self.address = self.client[0] if self.client else ""
        self.is_of_proxy = self.unfinished.is_proxy(self.address)
        self._wait_for_head()
        self.unfinished.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.unfinished.remove(self)
        self._set_deadline(None)
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._bytes = self._lines = 0
        self._has_head = self._is_complete = False
        self._set_deadline(self.head_seconds)

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self.abort) if seconds else None

    def abort(self) -> None:
        """Close the connection without a word."""
        self.unfinished.remove(self)
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the program never sees, because it is no request: headers as on the rest."""
        body = msg.encode()
        of_body = (b"content-length", str(len(body)).encode())
        head = b"".join(b"%s: %s\r\n" % one for one in (*OF_EACH, *OF_NO_REQUEST, of_body))
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + body)
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        if not self._bytes and not self._is_complete:
            self.unfinished.begin(self)
        self._bytes += len(data)
        longest = _BETWEEN_CHUNKS if self._has_head else LONGEST_HEAD
        if self._bytes > longest and not self._head_ends_in(data):
            self.abort()
            return
        super().data_received(data)

    def _head_ends_in(self, data: bytes) -> bool:
        """Return whether the head ends in this piece, within its limit, and a body follows."""
        room = LONGEST_HEAD - (self._bytes - len(data))
        return not self._has_head and 0 <= data.find(b"\r\n\r\n") <= room

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines += 1
        if self._lines > MOST_HEADERS:
            # The parser refuses the request as not valid.
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._has_head = True
        self._bytes = 0
        self._set_deadline(None)
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.scope is self.scope:
            extensions: dict[str, Any] = {**(self.scope.get("extensions") or {})}
            self.scope["extensions"] = extensions | {OUTLET: OfResponse(self.cycle)}

    def on_body(self, body: bytes) -> None:
        self._bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_complete = True
        self.unfinished.remove(self)
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete and not self.pipeline:
            # The response came before the end of the body: a new request may follow only now.
            self._wait_for_head()

    def on_response_complete(self) -> None:
        more = bool(self.pipeline)
        if not self._is_complete:
            # The rest of a body that was refused is read for a while, so that the sender sees why.
            self._set_deadline(self.head_seconds)
        elif not more:
            self._wait_for_head()
        super().on_response_complete()
