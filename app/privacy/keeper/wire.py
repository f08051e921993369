"""What the program and the keeper say to each other over their socket.

A message is its length in four bytes, and CBOR: bytes need no writing as text. A request names
what is to be done and holds its values; the answer has `done`, or `refused` with the reason.

A message is short, so that neither side is held up by it. Values that would make it long follow it,
each in pieces; in their place it has their lengths, and a tag that says so.
"""

import socket
import struct
from typing import Any

import cbor2

from app.privacy.cipher import PIECE, pieces_of

_LENGTH = struct.Struct(">I")
# Bytes of a message, and of the values in it: the others follow it.
LONGEST_MESSAGE, _INSIDE = 1024 * 1024, 256 * 1024
# Bytes of the values that follow one message: the largest document, and some more.
LONGEST = 110 * 1024 * 1024
# Bytes of a value that is always in the message, and the tag of the length of one that follows.
_ALWAYS_INSIDE, _FOLLOWS = 32, 60_000
# Values in one request.
MOST_ITEMS = 5_000


class BadMessage(OSError):
    """A message that is too long, or none at all."""


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send a message, and the values that follow it. Raises BadMessage, OSError."""
    outgoing = _Outgoing()
    body = cbor2.dumps({name: outgoing.put(value) for name, value in message.items()})
    if len(body) > LONGEST_MESSAGE or sum(map(len, outgoing.following)) > LONGEST:
        raise BadMessage("the message is too long")
    connection.sendall(_LENGTH.pack(len(body)) + body)
    for value in outgoing.following:
        for piece in pieces_of(value):
            connection.sendall(piece)


class _Outgoing:
    """The values of a message: which are in it, and which follow."""

    def __init__(self) -> None:
        self.following: list[bytes] = []
        self._left = _INSIDE

    def put(self, value: Any) -> Any:
        """Return a value as it is in the message."""
        if isinstance(value, list):
            return [self.put(one) for one in value]
        if not isinstance(value, bytes) or len(value) <= _ALWAYS_INSIDE:
            return value
        if len(value) <= self._left:
            self._left -= len(value)
            return value
        self.following.append(value)
        return cbor2.CBORTag(_FOLLOWS, len(value))


def receive(connection: socket.socket) -> dict[str, Any]:
    """Receive a message. Raises EOFError when the other side has ended, BadMessage, OSError."""
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if length > LONGEST_MESSAGE:
        raise BadMessage("the message is too long")
    body = _exactly(connection, length)
    try:
        message = cbor2.loads(body)
    except (cbor2.CBORDecodeError, RecursionError, MemoryError):
        raise BadMessage("the message cannot be read") from None
    if not isinstance(message, dict):
        raise BadMessage("the message cannot be read")
    incoming = _Incoming(connection)
    return {name: incoming.take(value) for name, value in message.items()}


class _Incoming:
    """The values of a message that was received, with those that follow it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._left = LONGEST

    def take(self, value: Any) -> Any:
        """Return a value of the message; one that follows is received now."""
        if isinstance(value, list):
            return [self.take(one) for one in value]
        if not isinstance(value, cbor2.CBORTag) or value.tag != _FOLLOWS:
            return value
        length = value.value
        if not isinstance(length, int) or not 0 <= length <= self._left:
            raise BadMessage("the message is too long")
        self._left -= length
        return _exactly(self._connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    parts, left = [], length
    while left > 0:
        got = connection.recv(min(left, PIECE))
        if not got:
            raise EOFError
        parts.append(got)
        left -= len(got)
    return parts[0] if len(parts) == 1 else b"".join(parts)
