"""The statements that requests send to the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg
import pytest

from app.web.headers import SecurityHeaders

_OF_REQUEST: ContextVar[list[str] | None] = ContextVar("_OF_REQUEST", default=None)


@contextmanager
def statements(patch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collect the statements that requests send, and nothing of what the worker does meanwhile."""
    real_call, real_execute = SecurityHeaders.__call__, psycopg.AsyncCursor.execute
    found: list[str] = []

    async def call(self: Any, *args: Any) -> None:
        _OF_REQUEST.set(found)
        await real_call(self, *args)

    async def execute(self: Any, query: Any, *args: Any, **more: Any) -> Any:
        if _OF_REQUEST.get() is found:
            found.append(str(query))
        return await real_execute(self, query, *args, **more)

    with patch.context() as patched:
        patched.setattr(SecurityHeaders, "__call__", call)
        patched.setattr(psycopg.AsyncCursor, "execute", execute)
        yield found
