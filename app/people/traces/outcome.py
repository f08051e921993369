"""What became of the acts under an emergency access when it ended, for its review."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from app.errors import Refusal
from app.staff.audit import write_entry
from app.staff.emergency_rows import Emergency
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry
from app.work import Work


@dataclass
class UndoOutcome:
    """The acts that were undone and those that could not be, as numbers of the log."""

    undone: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    accounts_left: int = 0

    def note(self, acts: list[AuditEntry], undone: bool) -> None:
        (self.undone if undone else self.left).extend(act.id for act in acts)

    def log(self, work: Work, row: Emergency) -> None:
        """Write it to the log, if there is anything to say."""
        if self.undone or self.left:
            write_entry(
                work,
                AuditLog.EMERGENCY_UNDONE,
                f"emergency:{row.id}",
                undone=self.undone,
                left=self.left,
            )


async def done(work: Work, act: Callable[[], Awaitable[object]]) -> bool:
    """Carry out an act, and return whether it was accepted. A refused act leaves nothing behind, in
    the rows or in the log."""
    rows = (work.checks, work.rows, work.chained, work.last_rows)
    collected: tuple[list[Any], ...] = (work.jobs, *rows)
    numbers = [len(one) for one in collected]
    try:
        async with work.session.begin_nested():
            await act()
    except Refusal:
        for one, number in zip(collected, numbers, strict=True):
            del one[number:]
        return False
    return True
