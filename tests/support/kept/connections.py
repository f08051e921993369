"""Keeps database connections open from one stage to the next of a process.

A stage opens some twenty connections, and the first statements on each read the catalogue anew:
that costs more than most stories. What is closed here is cleared and waits for the next stage on
the same database. Only the driver's raw connection is kept; each user has a new object around it.
What waits gives way to what is new: the server has places for a hundred.

A pool of production keeps its connections in the same way, and clears nothing. So what a user of a
pool leaves on a connection (a lock, a setting, a temporary table) fails the test.
"""

import os
import select
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import psycopg
import pytest
from psycopg.pq import ConnStatus, ExecStatus, PGconn, PipelineStatus, TransactionStatus

_Kind = tuple[Any, ...]


# How many asynchronous connections are open at once, as long as some of them only wait. The rest of
# the server's places is for the connections of tests, of commands, and for those made together.
MOST = 70


# Statements that a connection remembers, and from which use on the server does.
_MOST_PREPARED, _PREPARED_FROM = 600, 2


# For each that waits: its kind, the raw connection and its prepared statements. The one that has
# waited longest is the first.
_waiting: list[tuple[_Kind, Any, Any]] = []


in_use: WeakSet[Any] = WeakSet()


# The first test in which more than these were in use, and on which databases.
crowded_tests: list[str] = []


# The sockets of the server that the tests of this process share; no other connection is kept.
_hosts: set[str] = set()


# Statements stay prepared: the driver knows them.
_CLEARED = b"""
CLOSE ALL;
SELECT pg_advisory_unlock_all();
RESET SESSION AUTHORIZATION;
RESET ALL;
DISCARD TEMP;
DISCARD SEQUENCES;
UNLISTEN *
"""


_LOCKS = b"""
SELECT 'a lock' FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
UNION ALL SELECT 'a temporary table' WHERE pg_my_temp_schema() <> 0
AND EXISTS (SELECT FROM pg_class WHERE relnamespace = pg_my_temp_schema())
"""


# What a statement of ours could set. All settings would take a millisecond to read.
_SET = (
    "search_path",
    "timezone",
    "role",
    "session_replication_role",
    "statement_timeout",
    "lock_timeout",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "synchronous_commit",
)
_SETTINGS = ("SELECT " + ", ".join(f"current_setting('{name}')" for name in _SET)).encode()


_left: list[str] = []


def left_behind() -> list[str]:
    """Return what users of pools have left on connections since this was asked last."""
    found = sorted(set(_left))
    _left.clear()
    return found


def crowded() -> list[str]:
    """Return the first test in which too many connections were in use, and their databases."""
    return crowded_tests


@contextmanager
def kept_connections() -> Iterator[None]:
    """Let asynchronous connections be kept until the context is left."""
    made, closed = psycopg.AsyncConnection.connect.__func__, psycopg.AsyncConnection.close  # type: ignore[attr-defined]

    async def connect(
        cls: Any, /, conninfo: str = "", *, prepare_threshold: int | None = 5, **options: Any
    ) -> Any:
        named = {n: v for n, v in options.items() if n not in (*_OF_OBJECTS, "connect_timeout")}
        kind = (cls, conninfo, prepare_threshold, *sorted(named.items()))
        found = _take(kind)
        if found is None:
            _make_room(1)
            one = await made(cls, conninfo, prepare_threshold=prepare_threshold, **options)
            _prepare_often(one)
        else:
            raw, prepared = found
            one = _around(cls, raw, options)
            one._prepared = prepared
        one.kept_kind = kind
        # SQLAlchemy's pool gives a context; the driver's pool marks what it keeps.
        one._pooled = "context" in options
        in_use.add(one)
        return one

    async def close(self: Any) -> None:
        pool = getattr(self, "_pool", None)
        if self.closed or getattr(pool, "close_returns", False) or not _is_calm(self):
            await closed(self)
            return
        raw, self.pgconn, self._closed = self.pgconn, PGconn(), True
        raw.notice_handler = raw.notify_handler = None
        _waiting.append((self.kept_kind, raw, self._prepared))
        _make_room()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.AsyncConnection, "connect", classmethod(connect))
        patch.setattr(psycopg.AsyncConnection, "close", close)
        yield


@contextmanager
def kept_on(url: str) -> Iterator[None]:
    """Keep the connections to this server, until it is about to be stopped."""
    host = psycopg.conninfo.conninfo_to_dict(url)["host"]
    _hosts.add(str(host))
    yield
    _hosts.discard(str(host))
    while _waiting:
        _waiting.pop()[1].finish()


def _prepare_often(one: Any) -> None:
    """Let the server parse and plan a statement once for all stages that use the connection."""
    one.prepared_max = _MOST_PREPARED
    if one.prepare_threshold:
        one.prepare_threshold = _PREPARED_FROM


def kept_processes(database: str) -> list[int]:
    """Return the server's processes behind the connections that wait on a database."""
    return [raw.backend_pid for raw in _of(database) if raw.status == ConnStatus.OK]


def close_kept(database: str) -> None:
    """Close the connections that wait on a database."""
    closed = _of(database)
    for raw in closed:
        raw.finish()
    _waiting[:] = [one for one in _waiting if one[1] not in closed]


def _of(database: str) -> list[Any]:
    open_ = [raw for _, raw, _ in _waiting if raw.status == ConnStatus.OK]
    return [raw for raw in open_ if raw.db.decode() == database]


def _make_room(wanted: int = 0) -> None:
    """Close what has waited longest, until there is room for what is wanted or nothing waits.

    Stages on several databases, one after the other, would leave the server no place: each keeps
    as many as its busiest moment had.
    """
    used = [one.pgconn.db.decode() for one in in_use if not one.closed]
    needed = len(used) + wanted
    while _waiting and needed + len(_waiting) > MOST:
        _waiting.pop(0)[1].finish()
    if needed > MOST and not crowded_tests:
        test = os.environ.get("PYTEST_CURRENT_TEST", "between two tests")
        crowded_tests.append(f"{needed} connections in {test}: {dict(Counter(used).most_common())}")


# Options of the object around a connection, not of the connection.
_OF_OBJECTS = ("autocommit", "context", "row_factory", "cursor_factory")


def _around(cls: Any, raw: Any, options: dict[str, Any]) -> Any:
    one = cls(raw)
    one._autocommit = bool(options.get("autocommit", False))
    one.row_factory = options.get("row_factory") or one.row_factory
    one.cursor_factory = options.get("cursor_factory") or one.cursor_factory
    if options.get("context"):
        one._adapters = psycopg.adapt.AdaptersMap(options["context"].adapters)
    return one


def _take(kind: _Kind) -> tuple[Any, Any] | None:
    """Return a connection that waits and is alive, the last one that was used first."""
    for place in range(len(_waiting) - 1, -1, -1):
        if _waiting[place][0] != kind:
            continue
        _, raw, prepared = _waiting.pop(place)
        # A server that says something unasked has ended the connection.
        if raw.status == ConnStatus.OK and not select.select([raw.socket], [], [], 0)[0]:
            return raw, prepared
        raw.finish()
    return None


def _is_calm(one: Any) -> bool:
    """Return whether a connection is idle and can be cleared of what its user has set."""
    raw = one.pgconn
    return (
        hasattr(one, "kept_kind")
        and raw.host.decode() in _hosts
        and raw.transaction_status == TransactionStatus.IDLE
        and raw.pipeline_status == PipelineStatus.OFF
        and not one.lock.locked()
        and _cleared(one)
    )


def _cleared(one: Any) -> bool:
    """Clear a connection; return False where the server refuses."""
    pooled = one._pooled or hasattr(one, "_expire_at")
    # In one round trip: a stage has a dozen connections.
    statements = (_LOCKS, _SETTINGS, _CLEARED, _SETTINGS) if pooled else (_CLEARED,)
    results = _results(one.pgconn, b";".join(statements))
    if any(result.status == ExecStatus.FATAL_ERROR for result in results):
        return False
    if pooled:
        locks, settings, *_, fresh = results
        _note_left([*_row(locks), *_row(settings)], _row(fresh))
    # What it had listened to and was told before.
    while one.pgconn.notifies() is not None:
        pass
    return True


def _results(raw: Any, statements: bytes) -> list[Any]:
    """Return the result of each statement, until one fails."""
    raw.send_query(statements)
    return list(iter(raw.get_result, None))


def _note_left(before: list[bytes | None], after: list[bytes | None]) -> None:
    """Note what a user of a pool has left: `after` are the settings of a cleared connection."""
    found, settings = before[: -len(_SET)], before[-len(_SET) :]
    _left.extend(str(one, "ascii") for one in found if one is not None)
    changed = zip(_SET, settings, after, strict=True)
    _left.extend(f"the setting {name}" for name, was, fresh in changed if was != fresh)


def _row(result: Any) -> list[bytes | None]:
    """Return the first row of a result, or nothing."""
    return [result.get_value(0, n) for n in range(result.nfields)] if result.ntuples else []
