"""The service target: the seconds within which a call is answered in time. Pure.

A call is measured by the target that was set when it arrived; a later setting does not relabel it.
"""

from typing import NamedTuple

from app.errors import Message


class Target(NamedTuple):
    """From `since` on (seconds since 1970, UTC), answered in time means within `seconds`."""

    since: int
    seconds: int


Targets = tuple[Target, ...]


def always(seconds: int) -> Targets:
    """Return one target for all time."""
    return (Target(0, seconds),)


def target_message(targets: Targets) -> Message:
    """Return the targets as a message, newest last."""
    first, *later = [Message("%(seconds)s seconds", seconds=one.seconds) for one in targets]
    for one in later:
        first = Message("%(first)s, then %(next)s", first=first, next=one)
    return first
