"""The only place where the time is read; all other code is given `now`."""

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of the time, and a way to wait."""

    def now(self) -> datetime:
        """Return the present instant, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait until this clock has moved on by `seconds`."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
