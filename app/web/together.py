"""One question for all who ask it within a moment."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")
# Seconds for which keys are collected before the question is sent.
_MOMENT = 0.005


class Together(Generic[Key, Value]):
    """Reads what many ask for, each with a key of their own, with one statement.

    A question is sent only after the last of its keys was added, so that it never answers with
    what was there before it was asked.
    """

    def __init__(self, read: Callable[[set[Key]], Awaitable[Mapping[Key, Value]]]) -> None:
        self._read = read
        self._keys: set[Key] = set()
        self._asking: asyncio.Task[Mapping[Key, Value]] | None = None

    async def of(self, key: Key) -> Value | None:
        """Return the value of a key, or None. Raises what the question raises."""
        self._keys.add(key)
        self._asking = self._asking or asyncio.create_task(self._ask())
        # A reader who leaves does not take the answer away from the others.
        return (await asyncio.shield(self._asking)).get(key)

    async def _ask(self) -> Mapping[Key, Value]:
        await asyncio.sleep(_MOMENT)
        keys, self._keys, self._asking = self._keys, set(), None
        return await self._read(keys)
