"""Requests of children's pages that wait for news, and how many may do so at once."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from uuid import UUID

# A child has a page open, perhaps in two tabs, and a stream that the network has not ended yet.
_OF_CONVERSATION = 3


class End(asyncio.Event):
    """Says that a request must end, and wakes it."""

    def __init__(self, wake: Callable[[], None]) -> None:
        super().__init__()
        self._wake = wake

    def set(self) -> None:
        super().set()
        self._wake()


class OpenStreams:
    """The open streams and long polls of a process.

    One too many is not refused: the oldest of its conversation ends, or the oldest of all. A page
    asks again after a moment, and reads the conversation first, so no child misses a word.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._stopping: asyncio.Event | None = None
        self._watching: asyncio.Task[None] | None = None
        # By what each is told to end, the oldest first.
        self._all: dict[End, UUID] = {}
        self.by_conversation: dict[UUID, dict[End, None]] = {}

    @contextlib.contextmanager
    def one(
        self, call_id: UUID, wake: Callable[[], None] = lambda: None
    ) -> Iterator[asyncio.Event]:
        """Count a request until it ends. The event says that it must end now, and `wake` is called
        then."""
        end = End(wake)
        if self._stopping is not None and self._stopping.is_set():
            end.set()
        own = self.by_conversation.setdefault(call_id, {})
        self._all[end], own[end] = call_id, None
        if len(own) > _OF_CONVERSATION:
            self._drop(next(iter(own)))
        if len(self._all) > self._most:
            self._drop(next(iter(self._all)))
        try:
            yield end
        finally:
            self._drop(end)

    def __len__(self) -> int:
        return len(self._all)

    def end_with(self, stopping: asyncio.Event) -> None:
        """End all of them when the server is told to stop."""
        self._stopping = stopping
        self._watching = self._watching or asyncio.create_task(self._end_all(stopping))

    async def _end_all(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        for one in list(self._all):
            one.set()

    def _drop(self, one: End) -> None:
        """Tell a request to end, and stop counting it."""
        one.set()
        call_id = self._all.pop(one, None)
        if call_id is not None:
            own = self.by_conversation[call_id]
            del own[one]
            if not own:
                del self.by_conversation[call_id]
