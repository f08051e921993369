"""How long each side of a practice call spoke, as the exchange measured it. Pure."""

from collections.abc import Iterable
from typing import Any, NamedTuple

# Silences of both sides that are shown one by one, in seconds.
LONG_SILENCE = 5.0
# A trainee begins to speak before the child has finished: this much overlap counts, in seconds.
_INTERRUPTS = 0.6


class Stretch(NamedTuple):
    """A stretch of speech: from when, in seconds of the talk, and how long."""

    at: float
    seconds: float

    @property
    def until(self) -> float:
        return self.at + self.seconds


class Measured(NamedTuple):
    """The speech of both sides. `seconds` is the length of the talk, with the times on hold."""

    seconds: float
    child: tuple[Stretch, ...]
    counsellor: tuple[Stretch, ...]
    # When the child was on hold: no silence of theirs.
    held: tuple[Stretch, ...] = ()

    @property
    def child_spoke(self) -> float:
        return sum(one.seconds for one in self.child)

    @property
    def counsellor_spoke(self) -> float:
        return sum(one.seconds for one in self.counsellor)

    @property
    def silent(self) -> float:
        """Return the seconds in which neither side spoke."""
        return max(0.0, self.seconds - sum(one.seconds for one in self._spoken()))

    def silences(self) -> list[Stretch]:
        """Return the long silences of both sides."""
        found, at = [], 0.0
        for one in [*self._spoken(), Stretch(self.seconds, 0)]:
            if one.at - at >= LONG_SILENCE:
                found.append(Stretch(at, one.at - at))
            at = max(at, one.until)
        return found

    def interruptions(self) -> int:
        """Return how often the counsellor began to speak while the child spoke."""
        return sum(
            any(
                child.at < one.at and min(child.until, one.until) - one.at >= _INTERRUPTS
                for child in self.child
            )
            for one in self.counsellor
        )

    def _spoken(self) -> list[Stretch]:
        """Return the stretches of speech and of holds, without overlaps."""
        found: list[Stretch] = []
        for one in sorted([*self.child, *self.counsellor, *self.held]):
            if found and one.at <= found[-1].until:
                last = found.pop()
                found.append(Stretch(last.at, max(last.until, one.until) - last.at))
            else:
                found.append(one)
        return found


def read_measured(told: dict[str, Any] | None) -> Measured | None:
    """Read what the exchange told; None if it carried no sound."""
    if not told or not told.get("heard"):
        return None
    return Measured(
        float(told["seconds"]),
        _stretches(told["child"]),
        _stretches(told["counsellor"]),
        _stretches(told.get("held", ())),
    )


def _stretches(told: Iterable[Iterable[float]]) -> tuple[Stretch, ...]:
    return tuple(Stretch(float(at), float(seconds)) for at, seconds in told)
