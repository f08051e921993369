"""Made-up input: how much of it is tried, and how it reaches what runs in the event loop.

A few of each kind by default, always the same; with `TESTS=whole` hundreds, other ones each time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy, binary, characters, integers, lists, text, tuples

from tests.support.profile import WHOLE

T = TypeVar("T")

# Letters of every kind, with those that end lines, fields, texts and rows.
ODD = characters(codec="utf-8") | characters(categories=["Cc", "Cf", "Zl", "Zs"])
TEXT = text(ODD, max_size=60)
BYTES = binary(max_size=200)


def profile(examples: int) -> settings:
    """Return how much is tried: half of `examples`, or twenty times as many with `TESTS=whole`."""
    return settings(
        max_examples=examples * 20 if WHOLE else (examples + 1) // 2,
        deadline=None,
        database=None,
        derandomize=not WHOLE,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


async def tried(
    made: SearchStrategy[T], attempt: Callable[[T], Awaitable[None]], examples: int = 40
) -> None:
    """Try what is made up against something that runs in this event loop."""
    loop = asyncio.get_running_loop()

    @profile(examples)
    @given(made)
    def each(one: T) -> None:
        asyncio.run_coroutine_threadsafe(_awaited(attempt, one), loop).result(60)

    await asyncio.to_thread(each)


async def _awaited(attempt: Callable[[T], Awaitable[None]], one: T) -> None:
    await attempt(one)


def changed(whole: str | bytes) -> SearchStrategy[Any]:
    """A real file in which pieces were replaced, left out or doubled."""
    piece = TEXT if isinstance(whole, str) else BYTES
    places = lists(integers(0, max(len(whole) - 1, 0)), min_size=2, max_size=2).map(sorted)
    edits = lists(tuples(places, piece), min_size=1, max_size=4)
    return edits.map(lambda all_: _edited(whole, all_))


def _edited(whole: Any, edits: list[Any]) -> Any:
    for (begin, end), piece in edits:
        # Near to each other, so that most of the file stays what it is.
        end = min(end, begin + 40)
        whole = whole[:begin] + piece + whole[end:]
    return whole


def seconds_of(act: Callable[[], object]) -> float:
    """Return the seconds of the processor that something takes, at the least of two times."""
    found = []
    for _ in range(2):
        begun = time.process_time()
        act()
        found.append(time.process_time() - begun)
    return min(found)


def refused_or(act: Callable[[], object], *refusals: type[Exception]) -> bool:
    """Return whether something was accepted; a refusal is one of these, and nothing else."""
    try:
        act()
    except refusals as error:
        why = str(error)
    else:
        return True
    assert why.strip(), "a refusal says why"
    return False
