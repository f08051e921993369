"""Within how many seconds a call is answered in time: as it was set when the call arrived.

A changed setting counts from then on, and does not relabel the past. Pure.
"""

from typing import NamedTuple


class Target(NamedTuple):
    """From an instant on (seconds since 1970, UTC): answered in time is within `seconds`."""

    since: int
    seconds: int


Targets = tuple[Target, ...]


def always(seconds: int) -> Targets:
    """One target for all time."""
    return (Target(0, seconds),)


def in_words(targets: Targets) -> str:
    """The targets for people, newest last."""
    return ", then ".join(f"{one.seconds} seconds" for one in targets)
