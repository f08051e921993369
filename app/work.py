"""What every verb receives first, and what a process is made of."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.clock import Clock, SystemClock
from app.database.engine import Database, open_database
from app.database.quick import Command
from app.privacy.keys import Keys, read_keys
from app.settings import Settings


@dataclass(frozen=True)
class Actor:
    """Who does it: a person, the provider, or the program itself."""

    kind: Literal["person", "provider", "program"]
    staff_id: UUID | None = None
    name: str = ""
    role: str = ""


PROVIDER = Actor("provider")
PROGRAM = Actor("program")


# Things that a process remembers at once.
_MOST_REMEMBERED = 20_000

# How long after its end a value is still given to others while one reader reads it again.
_READ_AGAIN_WITHIN = timedelta(seconds=1)


def _reader() -> int:
    """Which task reads; 0 outside of a task."""
    try:
        return id(asyncio.current_task())
    except RuntimeError:
        return 0


class Memory:
    """What a process may remember for a short while instead of asking again."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Any], tuple[datetime, Any]] = {}
        # How often each topic was forgotten, and how often it had been when a key was missed. Each
        # reader has its own mark: two may read the same at once, one of them before a change.
        self._forgotten: dict[str, int] = {}
        self._missed: dict[tuple[str, Any, int], int] = {}
        # When the last reader found a value too old, and went to read it again.
        self._read_since: dict[tuple[str, Any], datetime] = {}

    def recall(self, topic: str, key: Any, now: datetime) -> Any | None:
        """Return what is remembered, or None: then the caller reads it again and keeps it.

        Under load a value that has become too old is read again by one caller; the others get it
        for up to a second more. A value that was forgotten because it changed is given to nobody.
        """
        until, value = self._kept.get((topic, key), (now, None))
        if until > now:
            return value
        if now - until < _READ_AGAIN_WITHIN and value is not None:
            if self._read_since.get((topic, key), until) > until:
                return value
            self._read_since[topic, key] = now
        # Bounded: keys may come from outside.
        memories: tuple[dict[Any, Any], ...] = (self._missed, self._kept, self._read_since)
        for memory in memories:
            if len(memory) > _MOST_REMEMBERED:
                memory.pop(next(iter(memory)))
        self._missed[topic, key, _reader()] = self._forgotten.setdefault(topic, 0)
        return None

    def keep(self, topic: str, key: Any, value: Any, until: datetime) -> None:
        """Keep what was read since `recall` missed it, unless it was changed meanwhile."""
        now = self._forgotten.setdefault(topic, 0)
        if self._missed.pop((topic, key, _reader()), now) == now:
            self._kept[topic, key] = until, value

    def forget(self, topic: str) -> None:
        """Forget all of a topic; called for every topic that the bus brings."""
        for told in list(self._forgotten) if topic == "everything" else [topic]:
            # The bus brings many topics that are never asked for here.
            if told in self._forgotten:
                self._forgotten[told] += 1
                for known in [k for k in self._kept if k[0] == told]:
                    del self._kept[known]


@dataclass(frozen=True)
class Ground:
    """What a process stands on; made once by whoever composes the parts."""

    settings: Settings
    clock: Clock
    database: Database
    keys: Keys
    memory: Memory = field(default_factory=Memory)
    # What an area makes once for the process, by the area's own name for it.
    kept: dict[str, Any] = field(default_factory=dict)


def make_ground(settings: Settings, clock: Clock | None = None) -> Ground:
    """What a process stands on. `settings.database_url` must be set by now."""
    assert settings.database_url is not None
    return Ground(
        settings=settings,
        clock=clock or SystemClock(),
        database=open_database(settings.database_url),
        keys=read_keys(settings),
    )


@dataclass(frozen=True)
class DeferredJob:
    task: str
    arguments: dict[str, Any]
    delay: timedelta | None = None


# What is changed seldom and looked at right afterwards by whoever has changed it: not even the
# bus is waited for.
AT_ONCE = frozenset({"roster", "lines"})


@dataclass
class Work:
    """One unit of work: a session in a transaction, the instant, and who acts.

    Topics and jobs are collected and written just before the commit, so they
    come about with the rows that caused them or not at all.
    """

    opened: AsyncSession | None
    now: datetime
    actor: Actor
    ground: Ground
    # How a session is had by whoever needs one; many requests need none.
    opener: Callable[[], AsyncSession] | None = None
    topics: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    jobs: list[DeferredJob] = field(default_factory=list)
    # Rows to be written just before the commit, together; what takes a lock that everybody
    # wants goes last.
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    # Rows that lock a chain each, by its id: sent in the order of the chains, so that two who
    # write into the same ones never wait in a circle.
    chained: list[tuple[UUID, str, dict[str, Any]]] = field(default_factory=list)
    last_rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def session(self) -> AsyncSession:
        """The session of this unit of work, opened by the first who asks for it."""
        if self.opened is None:
            assert self.opener is not None
            self.opened = self.opener()
        return self.opened

    @property
    def keys(self) -> Keys:
        return self.ground.keys

    @property
    def settings(self) -> Settings:
        return self.ground.settings

    def write_later(self, command: Command, values: dict[str, Any], *, last: bool = False) -> None:
        """Write a row just before the commit, in the order of asking; nobody reads it before."""
        (self.last_rows if last else self.rows).append((command.sql, command.row(values)))

    def chain_later(self, chain: UUID, command: Command, values: dict[str, Any]) -> None:
        """Append a row to a chain, just before the commit."""
        self.chained.append((chain, command.sql, command.row(values)))

    async def let_go(self) -> None:
        """Commit what was done so far and hold no connection: something slow comes next."""
        if self.opened is not None:
            await self.opened.commit()
            await self.opened.close()
            self.opened = None

    async def undo(self) -> None:
        """Take back everything since the last commit: something was refused on the way."""
        for wanted in (self.topics, self.jobs, self.rows, self.chained, self.last_rows):
            wanted.clear()
        if self.opened is not None:
            await self.opened.rollback()

    def forget_changed(self) -> None:
        """After the commit: whoever asks this process next sees what has been changed."""
        for topic in self.changed:
            self.ground.memory.forget(topic)
        self.changed.clear()

    def announce(self, *topics: str) -> None:
        """Tell the live pages and the matcher, on commit, that this has changed."""
        self.topics.update(topics)

    def defer(self, task: str, *, delay: timedelta | None = None, **arguments: Any) -> None:
        """Ask for something to be done after the commit, by whichever area carries it out."""
        self.jobs.append(DeferredJob(task, arguments, delay))
