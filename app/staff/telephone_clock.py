"""The clock of a phone that makes codes: how far it is from ours.

A code lives as long as the step of 30 seconds in which the phone shows it. A phone whose
clock is wrong makes the codes of another step than ours. So its drift is measured in steps when
the codes are set up, and kept (RFC 6238, section 6). Later it is measured again only at a sign-in
that was proven by other means.

A code that is typed late looks like a clock that is slow. One code off is therefore no measure: two
of different steps must agree, and the later clock of the two is the phone's.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

# How far a clock may be from ours, in steps: five minutes.
MOST_DRIFT = 10
# A clock between two steps, or a code typed late, makes so much of a difference.
_AGREE = 1


# Return the first of some steps in which the phone shows the code, or None.
Find = Callable[[Sequence[int]], int | None]


class ShownCode(NamedTuple):
    """A code as the phone showed it: in which of its steps, and how far that is from ours."""

    step: int
    drift: int


def step_at(now: datetime) -> int:
    """Return our own step."""
    return int(now.timestamp()) // 30


def is_current(find: Find, now: datetime, drift: int) -> int | None:
    """Return the step of a code if the phone shows it now; None if it does not."""
    return find([step_at(now) + drift])


def shown(find: Find, now: datetime) -> ShownCode | None:
    """Return when a phone whose clock may be wrong showed a code; None if it never did."""
    ours = step_at(now)
    step = find([ours + drift for drift in sorted(range(-MOST_DRIFT, MOST_DRIFT + 1), key=abs)])
    return ShownCode(step, step - ours) if step is not None else None


def agreed(first: int | None, second: int) -> int | None:
    """Return the drift that two codes in a row have in common; None if another one is needed."""
    if second == 0:
        return 0
    if first is None or abs(first - second) > _AGREE:
        return None
    return max(first, second)


def agreed_of(refused: Mapping[str, int]) -> int | None:
    """Return the drift on which the last two refused codes of a sign-in agree.

    `refused`: by the step of the phone, as JSON holds it, how far each was from ours.
    """
    steps = sorted(refused, key=int)[-2:]
    if len(steps) < 2:
        return None
    first, second = (refused[step] for step in steps)
    return agreed(first, second)
