"""Counts what this process may have changed in its databases.

A stage on a stepped clock asks again and again whether jobs are due. As long as the count is the
same, and the clock has not come to the next job, the answer is the same.
"""

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

_count = 0
_READS = re.compile(r"\s*(SELECT\b|$)")
# The functions of the job queue and of the logs, which a SELECT calls.
_ACTS = re.compile(r"(procrastinate_\w+|change_log)\(")
_SENDS = (psycopg.AsyncCursor, psycopg.AsyncServerCursor, psycopg.Cursor)
_ENDS = (
    (psycopg.AsyncConnection, "commit"),
    (psycopg.AsyncTransaction, "__aexit__"),
    (psycopg.Connection, "commit"),
    (psycopg.Transaction, "__exit__"),
)


def changes() -> int:
    """Return a number that is higher after everything that may have changed a row."""
    return _count


def changed_elsewhere() -> None:
    """Count that another process may have changed a row."""
    _note(True)


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


def _counted(made: Any, has_changed: Callable[..., bool]) -> Any:
    """Let a method count as a change, when it is done, if `has_changed` says so."""
    if inspect.iscoroutinefunction(made):

        @functools.wraps(made)
        async def later(*args: Any, **options: Any) -> Any:
            try:
                return await made(*args, **options)
            finally:
                _note(has_changed(*args))

        return later

    @functools.wraps(made)
    def at_once(*args: Any, **options: Any) -> Any:
        try:
            return made(*args, **options)
        finally:
            _note(has_changed(*args))

    return at_once


def _note(changed: bool) -> None:
    global _count
    _count += changed


def _sent(cursor: Any, query: Any = "", *_: Any) -> bool:
    """Return whether a statement may have changed a row; its commit counts, too."""
    if isinstance(query, str) and _READS.match(query) and not _ACTS.search(query):
        return False
    cursor.connection._may_have_changed = True
    return True


def _ended(one: Any, *_: Any) -> bool:
    """Return whether a commit is one of changes."""
    connection = getattr(one, "connection", one)
    changed = getattr(connection, "_may_have_changed", False)
    connection._may_have_changed = False
    return bool(changed)
