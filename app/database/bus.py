"""The live bus: topic names over LISTEN and NOTIFY.

A topic says only *what* changed. After a slash it may say more about the row that it names, for
those who listen to that row. NOTIFY has no replay: after a lost
connection every listener gets the topic `everything` and reads again.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TypeVar

import psycopg

from app.database.engine import with_limits
from app.database.topics import Topic
from app.log import fault, log

CHANNEL = "helpline"


class Subscription:
    """The topics that arrived since the last `take`, each once."""

    def __init__(self) -> None:
        self._topics: set[str] = set()
        self._arrived = asyncio.Event()

    def put(self, topic: str) -> None:
        self._topics.add(topic)
        self._arrived.set()

    async def take(self) -> set[str]:
        """Wait until there is at least one topic, and take them all."""
        await self._arrived.wait()
        return self.taken()

    def taken(self) -> set[str]:
        """Take the topics that are there now, if any."""
        self._arrived.clear()
        topics, self._topics = self._topics, set()
        return topics


AnySubscription = TypeVar("AnySubscription", bound=Subscription)


class Bus:
    """The one LISTEN connection of a process, shared by all its subscriptions."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._to_all: set[Subscription] = set()
        # By topic: hundreds of pages listen, and a topic concerns few of them.
        self._to: defaultdict[str, set[Subscription]] = defaultdict(set)
        self._hooks: list[Callable[[str], None]] = []
        self._task: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def subscribed(self) -> Iterator[Subscription]:
        """Listen to every topic until the context is left."""
        subscription = Subscription()
        self._to_all.add(subscription)
        try:
            yield subscription
        finally:
            self._to_all.discard(subscription)

    @contextlib.contextmanager
    def listening(
        self, subscription: AnySubscription, topics: Iterable[str]
    ) -> Iterator[AnySubscription]:
        """Listen to these topics until the context is left."""
        told = set(topics)
        self.add(subscription, told)
        try:
            yield subscription
        finally:
            self.drop(subscription, told)

    def add(self, subscription: Subscription, topics: Iterable[str]) -> None:
        """Listen to these topics, too."""
        for topic in topics:
            self._to[topic].add(subscription)

    def drop(self, subscription: Subscription, topics: Iterable[str]) -> None:
        """Listen to these topics no longer."""
        for topic in topics:
            self._to[topic].discard(subscription)
            if not self._to[topic]:
                del self._to[topic]

    def on_topic(self, hook: Callable[[str], None]) -> None:
        """Call `hook` with every topic, at once and in the listener's own task."""
        self._hooks.append(hook)

    def publish_here(self, topic: str) -> None:
        """Tell all listeners here. One that fails does not keep it from the rest."""
        named = self._to.get(topic.partition("/")[0], ())
        tell = [*self._hooks, *(one.put for one in (*self._to_all, *named))]
        for listener in tell:
            try:
                listener(topic)
            except Exception as error:
                log().error(
                    "a listener of the bus failed",
                    area="database",
                    **fault(error),
                )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Bus"]:
        self._task = asyncio.create_task(self._listen(), name="bus")
        try:
            yield self
        finally:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self) -> None:
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    self.url,
                    autocommit=True,
                    connect_timeout=3,
                    application_name="helpline bus",
                    options=with_limits(self.url),
                )
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self.ready.set()
                    self.publish_here(Topic.EVERYTHING)
                    async for notice in connection.notifies():
                        self.publish_here(notice.payload)
            except (psycopg.Error, OSError):
                log().warning("the bus lost its database connection", area="database")
            self.ready.clear()
            await asyncio.sleep(0.5)
