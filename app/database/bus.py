"""The live bus: topic names over LISTEN and NOTIFY.

A topic says only *what* changed. NOTIFY has no replay: after a lost
connection every listener gets the topic `everything` and reads again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import psycopg

from app.database.topics import Topic
from app.log import log

CHANNEL = "helpline"


class Subscription:
    """The topics that arrived since the last `take`, each once."""

    def __init__(self, wants: Callable[[str], bool] | None = None) -> None:
        self._wants = wants
        self._topics: set[str] = set()
        self._arrived = asyncio.Event()

    def put(self, topic: str) -> None:
        if self._wants is None or self._wants(topic):
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


class Bus:
    """The one LISTEN connection of a process, shared by all its subscriptions."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._subscriptions: set[Subscription] = set()
        self._hooks: list[Callable[[str], None]] = []
        self._task: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def subscribed(self, wants: Callable[[str], bool] | None = None) -> Iterator[Subscription]:
        """Listen to every topic, or to those that are wanted, until the context is left."""
        subscription = Subscription(wants)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def on_topic(self, hook: Callable[[str], None]) -> None:
        """Call `hook` with every topic, at once and in the listener's own task."""
        self._hooks.append(hook)

    def publish_here(self, topic: str) -> None:
        for hook in self._hooks:
            hook(topic)
        for subscription in self._subscriptions:
            subscription.put(topic)

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
                    self._url, autocommit=True, connect_timeout=3, application_name="helpline bus"
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
