"""The event loop of the tests: uvloop's, which ends also where something was left open."""

import warnings
from typing import Any

import uvloop


class Loop(uvloop.Loop):
    """A loop that says at its end what was left open, and ends.

    uvloop warns of each thing before it closes it. Where a warning is an error, as in these tests,
    the thing would not be closed, and the loop would wait for its end for ever.
    """

    def close(self) -> None:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            super().close()
        left_open = [text for one in said if (text := str(one.message)).startswith("unclosed")]
        assert left_open == [], left_open


# What a test's `anyio_backend` is.
BACKEND: tuple[str, dict[str, Any]] = ("asyncio", {"loop_factory": Loop})
