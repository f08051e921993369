"""Counts what this process may have changed in its databases.

A stage on a stepped clock asks again and again whether jobs are due. As long as the count is the
same, and the clock has not come to the next job, the answer is the same. Each table is counted by
itself, because most of what is written is a log that no such answer depends on.
"""

import functools
import inspect
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

# By table. What cannot be told apart counts as a change of every table.
_counts: Counter[str] = Counter()
_ANY = "any table"
_READS = re.compile(r"\s*((SELECT|SET|SAVEPOINT|RELEASE|LISTEN|UNLISTEN)\b|$)")
# The functions of the job queue and of the logs, which a SELECT calls.
_ACTS = re.compile(r"(procrastinate_\w+|change_log)\(")
_WRITES = re.compile(r"\b(?:INSERT\s+INTO|UPDATE)\s+(?:ONLY\s+)?\"?([a-z_]+)")
# These change rows of other tables, too.
_CASCADES = re.compile(r"\b(?:DELETE|TRUNCATE|COPY|ALTER|CREATE|DROP|CALL|DO\s+\$)\b")
_JOBS = "procrastinate_jobs"
_SENDS = (psycopg.AsyncCursor, psycopg.AsyncServerCursor, psycopg.Cursor)
_ENDS = (
    (psycopg.AsyncConnection, "commit"),
    (psycopg.AsyncTransaction, "__aexit__"),
    (psycopg.Connection, "commit"),
    (psycopg.Transaction, "__exit__"),
)


def changes(*, of: Collection[str] = (), but: Collection[str] = ()) -> int:
    """Return a number that is higher after everything that may have changed a row.

    Of these tables alone, if some are given, or of all but some.
    """
    if of:
        return _counts[_ANY] + sum(_counts[table] for table in of)
    return _counts.total() - sum(_counts[table] for table in but)


def changed_elsewhere() -> None:
    """Count that another process may have changed a row."""
    _note({_ANY})


@contextmanager
def changes_counted() -> Iterator[None]:
    """Count them until the context is left."""
    with pytest.MonkeyPatch.context() as patch:
        for cursor in _SENDS:
            for name in ("execute", "executemany", "copy"):
                patch.setattr(cursor, name, _counted(getattr(cursor, name), _sent))
        for kind, name in _ENDS:
            patch.setattr(kind, name, _counted(getattr(kind, name), _ended))
        yield


def _counted(made: Any, changed: Callable[..., set[str]]) -> Any:
    """Let a method count, when it is done, as a change of the tables that `changed` returns."""
    if inspect.iscoroutinefunction(made):

        @functools.wraps(made)
        async def later(*args: Any, **options: Any) -> Any:
            try:
                return await made(*args, **options)
            finally:
                _note(changed(*args))

        return later

    @functools.wraps(made)
    def at_once(*args: Any, **options: Any) -> Any:
        try:
            return made(*args, **options)
        finally:
            _note(changed(*args))

    return at_once


def _note(tables: set[str]) -> None:
    for table in tables:
        _counts[table] += 1


@functools.lru_cache(maxsize=4096)
def _written(query: str) -> frozenset[str]:
    """Return the tables that a statement may change."""
    acts = _ACTS.search(query)
    if _READS.match(query) and not acts:
        return frozenset()
    found = set(_WRITES.findall(query))
    if acts:
        found.add(_JOBS if acts[0].startswith("procrastinate") else _ANY)
    if not found or _CASCADES.search(query):
        found.add(_ANY)
    return frozenset(found)


def _sent(cursor: Any, query: Any = "", *_: Any) -> set[str]:
    """Return the tables that a statement may have changed; its commit counts, too."""
    found = set(_written(query) if isinstance(query, str) else {_ANY})
    if found:
        connection = cursor.connection
        connection._may_have_changed = getattr(connection, "_may_have_changed", set()) | found
    return found


def _ended(one: Any, *_: Any) -> set[str]:
    """Return the tables that a commit may have changed."""
    connection = getattr(one, "connection", one)
    changed: set[str] = getattr(connection, "_may_have_changed", set())
    connection._may_have_changed = set()
    return changed
