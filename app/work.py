"""The unit of work that every verb receives first, and the parts of a process."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app import words
from app.clock import Clock, SystemClock
from app.database.engine import STATEMENT_SECONDS, Database, open_database
from app.database.quick import Check, Command, Question
from app.database.topics import RowTopic, Topic
from app.privacy.keys import Bound, Keys, read_keys
from app.settings import Settings


class ActorKind(StrEnum):
    """The kinds of actors; they are stored in the logs."""

    PERSON = "person"
    PROVIDER = "provider"
    PROGRAM = "program"


@dataclass(frozen=True)
class Actor:
    """Who acts: a person, the provider, or the program itself."""

    kind: ActorKind
    staff_id: UUID | None = None
    name: str = ""
    role: str = ""
    # The emergency access under which a person acts.
    emergency: UUID | None = None


class JobName(StrEnum):
    """A name of a job; the names themselves are in `app/jobs/names.py`."""

    @property
    def in_area(self) -> str:
        """The name without its area, by which the area registers the job."""
        return self.value.partition(":")[2]


PROVIDER = Actor(ActorKind.PROVIDER)
PROGRAM = Actor(ActorKind.PROGRAM)


# The most values that a process remembers.
_MOST_REMEMBERED = 20_000

# How long an expired value is still given to others while one reader reads it again.
_READ_AGAIN_WITHIN = timedelta(seconds=1)


def _reader() -> int:
    """Return the identity of the task that reads; 0 outside a task."""
    try:
        return id(asyncio.current_task())
    except RuntimeError:
        return 0


class Memory:
    """Values that a process remembers for a short while instead of reading them again."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Any], tuple[datetime, Any]] = {}
        # How often each topic was forgotten, and how often it had been when a reader missed a key.
        # Each reader has its own mark: two may read the same key at once, one before a change.
        self._forgotten: dict[str, int] = {}
        self._missed: dict[tuple[str, Any, int], int] = {}
        # When a reader last found a value expired and began to read it again.
        self._read_since: dict[tuple[str, Any], datetime] = {}

    def recall(self, topic: str, key: Any, now: datetime) -> Any | None:
        """Return the remembered value; or None, and then the reader reads and keeps it again.

        Under load, one reader reads an expired value again; the others get the old one for up to
        a second more. A value that was forgotten because it changed is never returned.
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
        """Keep a value that was read after `recall` missed it, unless it changed meanwhile."""
        now = self._forgotten.setdefault(topic, 0)
        if self._missed.pop((topic, key, _reader()), now) == now:
            self._kept[topic, key] = until, value

    def beside(self, *topics: str) -> "Memory":
        """Return another memory that begins with what this one knows of these topics."""
        other = Memory()
        other._kept = {key: kept for key, kept in self._kept.items() if key[0] in topics}
        return other

    def forget(self, topic: str) -> None:
        """Forget all values of a topic; called for every topic that arrives on the bus."""
        for told in list(self._forgotten) if topic == Topic.EVERYTHING else [topic]:
            # Many topics of the bus are never read through this memory.
            if told in self._forgotten:
                self._forgotten[told] += 1
                for known in [k for k in self._kept if k[0] == told]:
                    del self._kept[known]


@dataclass
class Ground:
    """The parts that a process works with; made once, where the parts are composed."""

    # Those of the server, with what the helpline has decided; replaced after each change.
    settings: Settings
    clock: Clock
    database: Database
    keys: Keys
    memory: Memory = field(default_factory=Memory)
    # Objects that an area makes once per process, by a name that the area chooses.
    kept: dict[str, Any] = field(default_factory=dict)


def make_ground(
    settings: Settings,
    clock: Clock | None = None,
    *,
    statement_seconds: float = STATEMENT_SECONDS,
) -> Ground:
    """Make the parts of a process. `settings.database_url` must be set by now.

    `statement_seconds`: the longest that a statement runs.

    Raises BadWords.
    """
    assert settings.database_url is not None
    # A language that is only half there is found now, and not in a call.
    words.check()
    return Ground(
        settings=settings,
        clock=clock or SystemClock(),
        database=open_database(settings.database_url, statement_seconds=statement_seconds),
        keys=read_keys(settings),
    )


@dataclass(frozen=True)
class DeferredJob:
    task: str
    arguments: dict[str, Any]
    delay: timedelta | None = None


# Topics that change seldom, and whose editor looks at the result right away: this process forgets
# them on commit and does not wait for the bus.
AT_ONCE = frozenset({Topic.ROSTER, Topic.LINES})


@dataclass
class Work:
    """One unit of work: a session in a transaction, the instant, and who acts.

    Topics and jobs are collected and written just before the commit, so they
    are committed with the rows that caused them or not at all.
    """

    opened: AsyncSession | None
    now: datetime
    actor: Actor
    ground: Ground
    # Opens a session when one is first needed; many requests need none.
    opener: Callable[[], AsyncSession] | None = None
    topics: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    jobs: list[DeferredJob] = field(default_factory=list)
    # Rows that are written together just before the commit. Those that take a lock which every
    # transaction needs are in `last_rows`.
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    # What must still hold just before the commit, asked together with `rows` and before them.
    checks: list[Check] = field(default_factory=list)
    # Rows that each lock a chain, with the chain's id. They are sent in the order of the ids, so
    # that two transactions that write to the same chains never deadlock.
    chained: list[tuple[UUID, str, dict[str, Any]]] = field(default_factory=list)
    last_rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    # Records whose reading is in the log, or that this work begins: their codes may be opened.
    admitted: set[UUID] = field(default_factory=set)
    # Sealed codes that were opened before, by their place and by what is stored; None of those
    # that cannot be opened.
    opened_codes: dict[tuple[Bound, bytes], tuple[str, ...] | None] = field(
        default_factory=dict, repr=False
    )

    @property
    def session(self) -> AsyncSession:
        """The session of this unit of work, opened on first use."""
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
        """Write a row just before the commit, in the order of calls; nothing reads it before."""
        (self.last_rows if last else self.rows).append((command.sql, command.row(values)))

    def check_later(self, question: Question, refusal: type[Exception], **values: Any) -> None:
        """Ask a question just before the commit; raise the refusal there if it finds no row."""
        self.checks.append(Check(question, values, refusal))

    def chain_later(self, chain: UUID, command: Command, values: dict[str, Any]) -> None:
        """Append a row to a chain, just before the commit."""
        self.chained.append((chain, command.sql, command.row(values)))

    async def let_go(self) -> None:
        """Commit what was done so far and release the connection, before something slow."""
        if self.opened is not None:
            await self.opened.commit()
            await self.opened.close()
            self.opened = None

    async def undo(self) -> None:
        """Undo everything since the last commit, because a later step was refused."""
        written = (self.checks, self.rows, self.chained, self.last_rows)
        for wanted in (self.topics, self.jobs, *written):
            wanted.clear()
        if self.opened is not None:
            await self.opened.rollback()

    def forget_changed(self) -> None:
        """Forget changed topics after the commit, so that the next reader here sees the change."""
        for topic in self.changed:
            self.ground.memory.forget(topic)
        self.changed.clear()

    def announce(self, *topics: Topic | RowTopic) -> None:
        """Tell the live pages and the matcher, on commit, that these topics have changed."""
        self.topics.update(str(topic) for topic in topics)

    def defer(self, task: JobName, *, delay: timedelta | None = None, **arguments: Any) -> None:
        """Defer a job until after the commit; the area that owns the task carries it out."""
        self.jobs.append(DeferredJob(task.value, arguments, delay))
