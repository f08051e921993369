"""Which caller goes to which counsellor. Pure: plain values in, pairs out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

# Who declined or missed a caller is not asked again for the same caller for so long.
COOL_OFF = timedelta(seconds=30)


@dataclass(frozen=True)
class Waiting:
    """A caller in the queue. `asked` says when whom was last asked in vain."""

    call_id: UUID
    line: str
    language: str
    queued_at: datetime
    priority: int = 0
    danger: bool = False
    asked: Mapping[UUID, datetime] = field(default_factory=dict)

    def score(self, now: datetime) -> float:
        """Seconds waited plus priority in seconds; the highest goes first."""
        return (now - self.queued_at).total_seconds() + self.priority


@dataclass(frozen=True)
class Free:
    """A counsellor who is on shift and available. Empty sets mean no limit."""

    counsellor_id: UUID
    idle_since: datetime
    languages: frozenset[str] = frozenset()
    lines: frozenset[str] = frozenset()


def may_take(counsellor: Free, caller: Waiting, now: datetime) -> bool:
    """Whether this counsellor can be asked for this caller now.

    A child in danger is offered to anyone on the line: a counsellor without the
    language is better than nobody.
    """
    if counsellor.lines and caller.line not in counsellor.lines:
        return False
    if not speaks(counsellor, caller.language) and not caller.danger:
        return False
    asked = caller.asked.get(counsellor.counsellor_id)
    return asked is None or now - asked >= COOL_OFF


def speaks(counsellor: Free, language: str) -> bool:
    return not counsellor.languages or language in counsellor.languages


def pair(
    callers: Iterable[Waiting], counsellors: Iterable[Free], now: datetime
) -> list[tuple[Waiting, Free]]:
    """Pair callers, best first, each with the best counsellor left.

    Best caller: highest score, then first arrival. Best counsellor: one who
    speaks the language, who was not asked for this caller before, then longest
    idle. A caller whom nobody can take does not stand in the way of the next.
    """
    left = sorted(counsellors, key=lambda c: (c.idle_since, c.counsellor_id))
    pairs: list[tuple[Waiting, Free]] = []
    for caller in sorted(callers, key=lambda c: (-c.score(now), c.queued_at, c.call_id)):
        able = [c for c in left if may_take(c, caller, now)]
        if not able:
            continue
        best = min(
            able,
            key=lambda c: (not speaks(c, caller.language), c.counsellor_id in caller.asked),
        )
        left.remove(best)
        pairs.append((caller, best))
        if not left:
            break
    return pairs
