"""What the program and the keeper say to each other over their socket.

A message is its length in four bytes, and CBOR: bytes need no writing as text. A request names
what is to be done and holds its values; the answer has `done`, or `refused` with the reason.
"""

import socket
import struct
from typing import Any

import cbor2

_LENGTH = struct.Struct(">I")
# Bytes of one message: the largest document, and what is written around it.
LONGEST = 110 * 1024 * 1024
# Values in one request.
MOST_ITEMS = 5_000


class BadMessage(OSError):
    """A message that is too long, or none at all."""


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send a message. Raises BadMessage, OSError."""
    body = cbor2.dumps(message)
    if len(body) > LONGEST:
        raise BadMessage("the message is too long")
    connection.sendall(_LENGTH.pack(len(body)) + body)


def receive(connection: socket.socket) -> dict[str, Any]:
    """Receive a message. Raises EOFError when the other side has ended, BadMessage, OSError."""
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if length > LONGEST:
        raise BadMessage("the message is too long")
    body = _exactly(connection, length)
    try:
        message = cbor2.loads(body)
    except (cbor2.CBORDecodeError, RecursionError, MemoryError):
        raise BadMessage("the message cannot be read") from None
    if not isinstance(message, dict):
        raise BadMessage("the message cannot be read")
    return message


def _exactly(connection: socket.socket, length: int) -> bytes:
    parts = bytearray(length)
    view, done = memoryview(parts), 0
    while done < length:
        got = connection.recv_into(view[done:], min(length - done, 1024 * 1024))
        if got == 0:
            raise EOFError
        done += got
    return bytes(parts)
