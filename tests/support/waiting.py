"""Wait in real time until something holds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any


async def until(
    truth: Callable[..., Any], what: str = "", *, within: float = 30, every: float = 0.1
) -> Any:
    """Ask until it is true, and return what was found.

    `within` and `every` are seconds; what takes a minute is asked seldom: each question takes work.
    Raises AssertionError.
    """
    began = time.monotonic()
    while True:
        found = truth()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        if time.monotonic() - began > within:
            raise AssertionError(f"did not happen within {within} s: {what}")
        await asyncio.sleep(every)
