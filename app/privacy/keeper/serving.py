"""The keeper: a small process that alone holds the keys, and seals, opens and hashes for one user.

Each connection has a thread and a safe of its own: what one process says of the keys in force is
not what another works by. A connection on which something is not understood is cut.
"""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from app.errors import BadSettings
from app.log import log
from app.privacy.keeper.wire import MOST_ITEMS, BadMessage, receive, send
from app.privacy.safe import LONGEST_HASHED, CannotOpen, InForce, Item, Safe, Salted, Secret

# Processes and threads that are served at once.
_MOST_CONNECTIONS = 256
# Characters of a text that is hashed.
_LONGEST_TEXT = 20_000
# Seconds in which a message has to arrive once it has begun, and what runs has to end at a stop.
_ARRIVES_WITHIN, _ENDS_WITHIN = 30.0, 5.0
_CREDENTIALS = struct.Struct("3i")


class Given(NamedTuple):
    """The keys of the keeper's settings."""

    field_keys: list[tuple[int, bytes]]
    secret_key: str


class Serving:
    """A socket at a path, served for the processes of one user."""

    def __init__(self, keys: Given, path: Path, user: int) -> None:
        self._keys, self._path, self._user = keys, path, user
        self._connections: set[socket.socket] = set()
        self._busy = 0
        self._change = threading.Condition()
        self._stopped = False
        self._listener: socket.socket | None = None

    def run(self) -> None:
        """Serve until `stop` is called. Raises BadSettings."""
        listener = self._listener = _listen(self._path, mine=self._user == os.geteuid())
        log().info("the keeper answers", area="keeper")
        try:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    break
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
        finally:
            self._path.unlink(missing_ok=True)
            self._end()

    def stop(self) -> None:
        """Take no more connections; what is being answered is answered."""
        self._stopped = True
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _end(self) -> None:
        with self._change:
            self._change.wait_for(lambda: self._busy == 0, timeout=_ENDS_WITHIN)
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            why = self._refusal(connection)
            if why:
                log().warning("the keeper refused a connection", area="keeper", cause=why)
                with contextlib.suppress(OSError):
                    connection.settimeout(1.0)
                    connection.recv(4096)
                    send(connection, {"refused": why})
                return
            with self._change:
                self._connections.add(connection)
            try:
                self._answer_all(connection)
            except EOFError:
                pass
            except Exception as error:
                # Only what kind it was: a message holds what people said.
                kind = type(error).__name__
                log().warning("the keeper cut a connection", area="keeper", exception_type=kind)
            finally:
                with self._change:
                    self._connections.discard(connection)

    def _refusal(self, connection: socket.socket) -> str:
        """Return why a connection is not served; empty if it is."""
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, user, _ = _CREDENTIALS.unpack(raw)
        if user != self._user:
            return f"user {user} is not served by the keeper of the keys, only user {self._user}"
        with self._change:
            return "too many connections" if len(self._connections) >= _MOST_CONNECTIONS else ""

    def _answer_all(self, connection: socket.socket) -> None:
        safe = Safe(*self._keys)
        while not self._stopped:
            connection.settimeout(None)
            connection.recv(1, socket.MSG_PEEK)
            with self._change:
                self._busy += 1
            try:
                connection.settimeout(_ARRIVES_WITHIN)
                send(connection, answer(safe, receive(connection)))
            finally:
                with self._change:
                    self._busy -= 1
                    self._change.notify_all()


def _listen(path: Path, *, mine: bool) -> socket.socket:
    """Return the socket. Another user's processes may reach it, too, if it serves another user."""
    # If a path is too long, not even whether something is there can be said.
    with contextlib.suppress(OSError):
        if path.is_socket():
            if _answers(path):
                raise BadSettings(f"A keeper answers at {path} already.")
            path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177 if mine else 0o111)
    try:
        listener.bind(str(path))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise BadSettings(
            f"The socket {path} cannot be made ({error.strerror or 'its path is too long'}). Its "
            "folder must exist and belong to the keeper's user."
        ) from None
    finally:
        os.umask(before)
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


# -- answering -----------------------------------------------------------------------------------


def answer(safe: Safe, message: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a request. Raises BadMessage for one that is not understood."""
    act = _ACTS.get(str(message.get("act")))
    if act is None:
        raise BadMessage("no such request")
    try:
        return {"done": act(safe, message)}
    except CannotOpen as error:
        return {"refused": error.detail}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        raise BadMessage("the request is not complete") from None


def _items(message: dict[str, Any]) -> list[Item]:
    items = [Item(bound, value) for bound, value in _bounded(message["items"])]
    if any(not isinstance(part, bytes) for item in items for part in item):
        raise BadMessage("values are bytes")
    return items


def _bounded(values: list[Any]) -> list[Any]:
    if not isinstance(values, list) or len(values) > MOST_ITEMS:
        raise BadMessage("too many values in one request")
    return values


def _check_values(safe: Safe, _message: dict[str, Any]) -> dict[int, bytes]:
    return dict(safe.check_values())


def _work_by(safe: Safe, message: dict[str, Any]) -> bool:
    secrets = {
        n: Secret(sealed, UUID(bytes=row)) for n, (sealed, row) in message["secrets"].items()
    }
    safe.work_by(
        InForce(
            sealing=message["sealing"],
            retired=frozenset(_bounded(message["retired"])),
            hash_secrets=secrets,
            written=message["written"],
            oldest=message["oldest"],
            check_values=message["known"],
        )
    )
    return True


def _seal(safe: Safe, message: dict[str, Any]) -> list[bytes]:
    return safe.seal(_items(message))


def _open(safe: Safe, message: dict[str, Any]) -> list[bytes | str]:
    return _told(safe.open(_items(message)))


def _told(found: list[bytes | CannotOpen]) -> list[bytes | str]:
    return [one.detail if isinstance(one, CannotOpen) else one for one in found]


def _attempt(safe: Safe, message: dict[str, Any]) -> list[str | None]:
    return [one.detail if one else None for one in safe.attempt(_items(message))]


def _seal_anew(safe: Safe, message: dict[str, Any]) -> list[bytes]:
    return safe.seal_anew(_items(message))


def _sums(safe: Safe, message: dict[str, Any]) -> list[bytes | str]:
    starts = _bounded(message["starts"])
    if any(not isinstance(one, bytes) for one in starts):
        raise BadMessage("values are bytes")
    values = [Salted(*pair) for pair in zip(starts, _items(message), strict=True)]
    return _told(safe.sums(values))


def _hashes(safe: Safe, message: dict[str, Any]) -> list[list[bytes]]:
    texts = [(str(kind), str(text)) for kind, text in _bounded(message["texts"])]
    if any(len(kind) + len(text) > _LONGEST_TEXT for kind, text in texts):
        raise BadMessage("a text is too long")
    return safe.hashes(texts)


def _carry(safe: Safe, message: dict[str, Any]) -> list[bytes]:
    return safe.carry(_bounded(message["stored"]), int(message["generation"]))


def _make_secret(safe: Safe, message: dict[str, Any]) -> bytes:
    return safe.make_secret(UUID(bytes=message["row"]), first=bool(message["first"]))


def _seal_for_good(safe: Safe, message: dict[str, Any]) -> list[bytes]:
    return safe.seal_for_good(_items(message))


def _open_for_good(safe: Safe, message: dict[str, Any]) -> list[bytes | str]:
    return _told(safe.open_for_good(_items(message)))


def _step_of(safe: Safe, message: dict[str, Any]) -> int | None:
    (seed,) = _items(message)
    steps = [int(one) for one in _bounded(message["steps"])]
    return safe.step_of(seed, str(message["code"]), steps)


def _sign_event(safe: Safe, message: dict[str, Any]) -> str:
    secret, *long = _items(message)
    if long:
        (event,) = long
        event_id, body = event.bound.decode(), event.value.decode()
    else:
        event_id, body = str(message["id"]), str(message["body"])
    return safe.sign_event(secret, event_id, int(message["at"]), body)


def _session_keys(safe: Safe, message: dict[str, Any]) -> list[bytes]:
    texts = _bounded(message["texts"])
    if any(not isinstance(one, bytes) or len(one) > LONGEST_HASHED for one in texts):
        raise BadMessage("texts are bytes, and not too many")
    return safe.session_keys(texts)


_ACTS: dict[str, Callable[[Safe, dict[str, Any]], Any]] = {
    "check_values": _check_values,
    "work_by": _work_by,
    "seal": _seal,
    "open": _open,
    "attempt": _attempt,
    "seal_anew": _seal_anew,
    "sums": _sums,
    "hashes": _hashes,
    "carry": _carry,
    "make_secret": _make_secret,
    "seal_for_good": _seal_for_good,
    "open_for_good": _open_for_good,
    "step_of": _step_of,
    "sign_event": _sign_event,
    "session_keys": _session_keys,
}
