"""The service target: the seconds within which a call is answered in time. Pure.

A call is measured by the target that was set when it arrived; a later setting does not relabel it.
"""

from typing import NamedTuple


class Target(NamedTuple):
    """From `since` on (seconds since 1970, UTC), answered in time means within `seconds`."""

    since: int
    seconds: int


Targets = tuple[Target, ...]


def always(seconds: int) -> Targets:
    """Return one target for all time."""
    return (Target(0, seconds),)


def in_words(targets: Targets) -> str:
    """Return the targets in words, newest last."""
    return ", then ".join(f"{one.seconds} seconds" for one in targets)
