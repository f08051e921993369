"""Situations that are written down once for many tests: to write one takes as long as most of them.

A test says with the mark `situation` in which situation its database is. The function that writes
the situation then reads what was written, and a test calls it as any other.
"""

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from app.work import Actor, DeferredJob, Work

_Rows = TypeVar("_Rows")
Told = Callable[[Work], Awaitable[_Rows]]


@dataclass(frozen=True)
class Written:
    """What is in a database already, and how the work was left that wrote it."""

    by: Told[Any]
    # As `by` returned it, with the model and the id in the place of each row.
    rows: Any
    actor: Actor
    now: datetime
    jobs: list[DeferredJob]
    topics: set[str]
    admitted: set[UUID]


# By it, the ground of a test knows what its database holds.
HELD = "what was written once"


async def write(work: Work, by: Told[Any]) -> Written:
    """Write a situation down for all tests of it; the caller commits it."""
    rows = _named(await by(work))
    left = (work.actor, work.now, list(work.jobs), set(work.topics), set(work.admitted))
    return Written(by, rows, *left)


def once(by: Told[_Rows]) -> Told[_Rows]:
    """Let a situation be read instead where the database of the test holds it."""

    @functools.wraps(by)
    async def told(work: Work) -> _Rows:
        held = work.ground.kept.get(HELD)
        if held is None or held.by is not told:
            return await by(work)
        work.actor, work.now = held.actor, held.now
        work.jobs += held.jobs
        work.topics |= held.topics
        work.admitted |= held.admitted
        found: _Rows = await _read(work, held.rows)
        return found

    return told


def _named(rows: Any) -> Any:
    if isinstance(rows, list | tuple):
        return type(rows)(_named(one) for one in rows)
    return type(rows), rows.id


async def _read(work: Work, rows: Any) -> Any:
    if isinstance(rows, tuple) and isinstance(rows[0], type):
        return await work.session.get_one(*rows)
    return type(rows)([await _read(work, one) for one in rows])
