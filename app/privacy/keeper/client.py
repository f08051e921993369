"""The keeper as the program sees it: it is asked over a socket of this machine, and holds the keys.

A short request takes about as long as a switch to another task and back, so it is made in the event
loop; a long one is made in a thread (`app/privacy/keys.py`), and so is a look whether the keeper
is there. If it does not answer, one request waits for a second at most. The next ones are refused
at once, until a look has found it well: the task that watches it looks again and again.

A long request keeps a keeper busy that is well: that it takes too long says nothing of the others.
While one runs, a short one that was not answered in time is refused, and only a second one after it
shows that the keeper hangs.
"""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from app.errors import BadSettings, Refusal
from app.privacy.keeper.remembered import Remembered
from app.privacy.keeper.wire import LONGEST_MESSAGE, receive, send
from app.privacy.safe import CannotOpen, InForce, Item, Salted

# Seconds that a short request may take, with a new connection for it if that is needed, and the
# bytes that may take one second more.
PATIENCE = 1.0
BYTES_A_SECOND = 5_000_000
# Bytes of a long request: to seal or open more takes so long that other requests go on meanwhile.
LONG = 256 * 1024
# Bytes of an event that goes in a message, with the sealed secret beside it.
_LONGEST_EVENT = LONGEST_MESSAGE - 16 * 1024
# Seconds for which requests wait when the keeper has gone: as long as a restart takes.
RESTARTS_WITHIN = 5.0
# Seconds between two looks whether it is back.
_LOOKS_EVERY = 0.05
# Seconds until the task that watches it learns that a request found it away.
_AWAY_NOTICED_WITHIN = 0.2
# Seconds between two looks at a keeper that is older than the program, and the most between two at
# one that refuses this process: each time it waits twice as long as before.
OLDER_LOOKED_AT_EVERY = 5.0
# Connections that a process keeps open.
_MOST_IDLE = 4
# No token is like this text: its hash tells one secret key from another.
_WHICH = b"which secret key"


class KeeperAway(Refusal, ConnectionError):
    """The keeper of the keys does not answer: what needs a key has to wait."""

    status = 503
    default = (
        "What is sealed cannot be read or written at the moment: the keeper of the keys does not "
        "answer. Nothing was changed. Try again in a minute."
    )


class Away(NamedTuple):
    """That the keeper is away, and what was found. Moments are by the clock that never goes back.

    `looks_from`: it hangs, is older than the program, or goes on refusing us. Requests are refused
    without asking it; a look asks it, from this moment on. `pause`: seconds between two looks at
    one that refuses.
    """

    since: float
    why: str
    looks_from: float | None
    pause: float = 0.0


class _Connection:
    """A connection to the keeper, and what it was told about the keys.

    It has to answer until `ends`, whatever it is asked until then.
    """

    def __init__(self, path: Path, ends: float) -> None:
        self.told: InForce | None = None
        self.ends = ends
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._wait_until_it_ends()
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def ask(self, act: str, **values: Any) -> Any:
        """Return the answer. Raises OSError, EOFError, CannotOpen."""
        self._wait_until_it_ends()
        send(self._socket, {"act": act, **values})
        answer = receive(self._socket)
        if "refused" in answer:
            raise CannotOpen(str(answer["refused"]))
        return answer["done"]

    def _wait_until_it_ends(self) -> None:
        # With 0 it would not wait at all, and say that in another way than by TimeoutError.
        self._socket.settimeout(max(self.ends - time.monotonic(), 0.001))

    def tell(self, facts: InForce) -> None:
        self.ask("work_by", **as_values(facts))
        self.told = facts

    def close(self) -> None:
        self._socket.close()


def as_values(facts: InForce) -> dict[str, Any]:
    """Return what the database says of the keys, as it is sent."""
    return {
        "sealing": facts.sealing,
        "retired": list(facts.retired),
        "secrets": {n: [one.sealed, one.row.bytes] for n, one in facts.hash_secrets.items()},
        "written": facts.written,
        "oldest": facts.oldest,
        "known": dict(facts.check_values),
    }


class Keeper:
    """A holder of keys that is another process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[_Connection] = []
        self._lock = threading.Lock()
        self._facts: InForce | None = None
        self._values: dict[int, bytes] = {}
        # What tells its secret key from another one, and the hashes that this key has made.
        self._check_value: bytes | None = None
        self._remembered = Remembered()
        self.away: Away | None = None
        # How many long requests run, and whether a short one was not answered in time meanwhile.
        self._long, self._was_late = 0, False

    # -- asking ----------------------------------------------------------------------------------

    def check_values(self) -> Mapping[int, bytes]:
        if not self._values:
            self.look()
        return self._values

    def work_by(self, facts: InForce) -> None:
        before, self._facts = self._facts, facts
        try:
            self.ask("check_values", told=True)
        except CannotOpen:
            self._facts = before
            raise

    def seal_with(self, number: int) -> None:
        """Refuse a key that the keeper does not seal with now: it works by what it was told."""
        (sealed,) = self.seal([Item(b"which key", b"")])
        if sealed[1] != number:
            raise CannotOpen(f"the keeper does not seal with key {number} yet: start the program")

    def seal(self, items: Sequence[Item]) -> list[bytes]:
        return list(self.ask("seal", items=_sent(items)))

    def open(self, items: Sequence[Item]) -> list[bytes | CannotOpen]:
        answers = self.ask("open", items=_sent(items))
        return [one if isinstance(one, bytes) else CannotOpen(str(one)) for one in answers]

    def attempt(self, items: Sequence[Item]) -> list[CannotOpen | None]:
        answers = self.ask("attempt", items=_sent(items))
        return [None if one is None else CannotOpen(str(one)) for one in answers]

    def seal_anew(self, items: Sequence[Item]) -> list[bytes]:
        return list(self.ask("seal_anew", items=_sent(items)))

    def sums(self, values: Sequence[Salted]) -> list[bytes | CannotOpen]:
        items = _sent([one.item for one in values])
        answers = self.ask("sums", items=items, starts=[one.start for one in values])
        return [one if isinstance(one, bytes) else CannotOpen(str(one)) for one in answers]

    def hashes(self, texts: Sequence[tuple[str, str]]) -> list[list[bytes]]:
        return list(self.ask("hashes", texts=[list(pair) for pair in texts]))

    def carry(self, stored: Sequence[bytes], generation: int) -> list[bytes]:
        return list(self.ask("carry", stored=list(stored), generation=generation))

    def make_secret(self, row: Any, *, first: bool) -> bytes:
        return bytes(self.ask("make_secret", row=row.bytes, first=first))

    def seal_for_good(self, items: Sequence[Item]) -> list[bytes]:
        return list(self.ask("seal_for_good", items=_sent(items)))

    def open_for_good(self, items: Sequence[Item]) -> list[bytes | CannotOpen]:
        answers = self.ask("open_for_good", items=_sent(items))
        return [one if isinstance(one, bytes) else CannotOpen(str(one)) for one in answers]

    def step_of(self, seed: Item, code: str, steps: Sequence[int]) -> int | None:
        found: int | None = self.ask("step_of", items=_sent([seed]), code=code, steps=list(steps))
        return found

    def sign_event(self, secret: Item, event_id: str, at: int, body: str) -> str:
        event = Item(event_id.encode(), body.encode())
        if len(event.bound) + len(event.value) <= _LONGEST_EVENT:
            # So an older keeper reads it, too.
            items = _sent([secret])
            return str(self.ask("sign_event", items=items, id=event_id, at=at, body=body))
        # Long bytes follow a message in pieces, and a long text does not.
        return str(self.ask("sign_event", items=_sent([secret, event]), at=at))

    def session_keys(self, texts: Sequence[bytes]) -> list[bytes]:
        return list(self.ask("session_keys", texts=list(texts)))

    def session_key(self, token: bytes) -> bytes:
        # If the keeper has another secret key by the time it answers, these are forgotten.
        remembered = self._remembered
        made = remembered.recall(token)
        if made is None:
            (made,) = self.session_keys([token])
            remembered.keep(token, made)
        return made

    def keep_session_key(self, token: bytes, *, of_chat: bool) -> None:
        """Remember the hash of a token before others: its session or conversation was found."""
        self._remembered.was_found(token, of_chat=of_chat)

    def ask(self, act: str, *, told: bool = False, **values: Any) -> Any:
        """Ask on a connection that knows what the database says. `told`: it is about that."""
        away = self.away
        if away is not None and away.looks_from is not None:
            raise KeeperAway(away.why or None)
        size = sum(len(item[1]) for item in values.get("items", ()))
        ends = time.monotonic() + PATIENCE + size / BYTES_A_SECOND
        if size <= LONG:
            return self._ask(ends, act, told, values)
        with self._lock:
            self._long += 1
        try:
            return self._ask(ends, act, told, values, is_long=True)
        finally:
            with self._lock:
                self._long -= 1

    def _ask(
        self, ends: float, act: str, told: bool, values: dict[str, Any], *, is_long: bool = False
    ) -> Any:
        while True:
            connection, is_new = self._connection(ends, is_long)
            try:
                if connection.told is not self._facts and self._facts is not None:
                    self._tell(connection, told)
                answer = connection.ask(act, **values)
            except CannotOpen:
                self._keep(connection)
                raise
            except KeeperAway:
                connection.close()
                raise
            except TimeoutError:
                connection.close()
                raise self._late(is_long) from None
            except (OSError, EOFError):
                connection.close()
                if is_new:
                    # It has just answered on this connection: it is there, and cut it because of
                    # the request. What others ask for need not wait.
                    raise KeeperAway() from None
                # The keeper was restarted since this one was last used: the others are cut, too.
                self._forget_idle()
                continue
            self._keep(connection)
            self.away, self._was_late = None, False
            return answer

    def _tell(self, connection: _Connection, told: bool) -> None:
        facts = self._facts
        assert facts is not None
        try:
            connection.tell(facts)
        except CannotOpen:
            if told:
                raise
            # It was restarted with other keys, or the database knows more by now: a process that
            # watches its keys learns which, and says so.
            raise KeeperAway() from None

    def _connection(self, ends: float, is_long: bool) -> tuple[_Connection, bool]:
        """Return a connection, and whether it is new. Raises KeeperAway."""
        with self._lock:
            if self._idle:
                connection = self._idle.pop()
                connection.ends = ends
                return connection, False
        return self._new_connection(ends, is_long), True

    def _new_connection(self, ends: float, is_long: bool = False) -> _Connection:
        """Return a new connection, on which it said which keys it has. Raises KeeperAway."""
        # One that is restarted just now cuts a connection anywhere, and hardly twice there.
        for _ in range(2):
            try:
                connection = _Connection(self.path, ends)
            except OSError:
                raise self._gone() from None
            try:
                if self._learn_keys(connection):
                    return connection
            except TimeoutError:
                connection.close()
                raise self._late(is_long) from None
            except CannotOpen as error:
                connection.close()
                raise self._refused(error.detail) from None
            except (OSError, EOFError):
                connection.close()
                raise self._gone() from None
            connection.close()
        older = KeeperAway("it is older than this program and has to be restarted")
        self._gone(older.detail, looks_from=time.monotonic() + OLDER_LOOKED_AT_EVERY)
        raise older

    def _learn_keys(self, connection: _Connection) -> bool:
        """Ask which keys it has: it may have been restarted with others. Raises as `ask`.

        Return False if it cut the connection at what an older keeper does not know.
        """
        self._values = dict(connection.ask("check_values"))
        try:
            (check_value,) = connection.ask("session_keys", texts=[_WHICH])
        except TimeoutError:
            raise
        except (OSError, EOFError):
            return False
        with self._lock:
            if self._check_value not in (None, check_value):
                # Another secret key ends all sessions.
                self._remembered = Remembered()
            self._check_value = check_value
        return True

    def _keep(self, connection: _Connection) -> None:
        with self._lock:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def _forget_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _gone(self, why: str = "", *, looks_from: float | None = None) -> KeeperAway:
        before = self.away
        since = time.monotonic() if before is None else before.since
        self.away = Away(since, why, looks_from)
        return KeeperAway(why or None)

    def _refused(self, why: str) -> KeeperAway:
        """Note that it does not serve this process: it is full, or it serves another user."""
        now, before = time.monotonic(), self.away
        if before is None or before.why != why:
            # The next request asks again: one that is full has room in a moment.
            return self._gone(why)
        if now < (before.looks_from or 0.0):
            # It was asked beside the request that was refused before this one.
            return KeeperAway(why)
        pause = min(max(2 * before.pause, _LOOKS_EVERY), OLDER_LOOKED_AT_EVERY)
        self.away = Away(before.since, why, now + pause, pause)
        return KeeperAway(why)

    def _late(self, is_long: bool) -> KeeperAway:
        """Return the refusal of a request that was not answered in time, and note what it shows."""
        if is_long or (self._long and not self._was_late):
            self._was_late = self._was_late or not is_long
            return KeeperAway()
        return self._gone(looks_from=0.0)

    def close(self) -> None:
        """End the connections of this process."""
        self._forget_idle()

    # -- waiting ---------------------------------------------------------------------------------

    def look(self) -> None:
        """Ask for the numbers of its keys, on a connection of its own. Raises KeeperAway."""
        away = self.away
        if away is not None and time.monotonic() < (away.looks_from or 0.0):
            raise KeeperAway(away.why)
        self._forget_idle()
        self._keep(self._new_connection(time.monotonic() + PATIENCE))
        self.away, self._was_late = None, False

    def wait(self, seconds: float) -> None:
        """Wait for it when a command starts. Raises BadSettings."""
        ends = time.monotonic() + seconds
        while True:
            try:
                return self.look()
            except KeeperAway as away:
                if time.monotonic() > ends:
                    said = "" if away.detail == KeeperAway.default else f" It said: {away.detail}."
                    raise BadSettings(
                        f"The keeper of the keys does not answer at {self.path} "
                        f"(HELPLINE_KEEPER_SOCKET).{said} Start it with `helpline keeper` as its "
                        "own user, and let this program's user use the socket."
                    ) from None
                time.sleep(_LOOKS_EVERY)

    async def ready(self) -> None:
        """Wait while it is being restarted, for some seconds; what needs no key goes on then."""
        # Another thread may find it well at any moment.
        while (away := self.away) is not None:
            if time.monotonic() - away.since > RESTARTS_WITHIN:
                return
            await asyncio.sleep(_LOOKS_EVERY)

    async def watch(self, on_return: Callable[[], None]) -> None:
        """Notice when it goes and when it is back. Runs for ever."""
        while True:
            try:
                await asyncio.to_thread(self.look)
                on_return()
                await self._until_it_goes()
            except (OSError, EOFError):
                pass
            if self.away is None:
                self._gone()
            await asyncio.sleep(_LOOKS_EVERY)

    async def _until_it_goes(self) -> None:
        """Return when it has gone, or a request has found it away: it is looked at again then."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        try:
            while self.away is None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_AWAY_NOTICED_WITHIN):
                        # It says nothing on this connection; its end is the end of the keeper.
                        await reader.read()
                        return
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _sent(items: Sequence[Item]) -> list[list[bytes]]:
    return [[bound, bytes(value)] for bound, value in items]
