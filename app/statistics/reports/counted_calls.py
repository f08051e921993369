"""List the calls behind a figure, for a reader who may see single calls."""

from typing import Any

from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.statistics.exports.exporting import ExportWanted, made
from app.statistics.exports.files import File
from app.statistics.periods import Window
from app.statistics.sums import OUTCOMES
from app.work import Work

# Rows on one page; the exported file has all of them.
MOST = 500
COLUMNS = (
    "id",
    "arrived_local",
    "line",
    "language",
    "outcome",
    "circumstance",
    "wait_seconds",
    "talk_seconds",
    "ended_by",
    "danger",
)


async def counted_calls(
    work: Work, window: Window, line: str | None, outcomes: tuple[str, ...]
) -> tuple[list[dict[str, Any]], int]:
    """Return the newest calls of a window with one of these outcomes (empty: any), and how many
    there are. They come from the same facts as the figures, so the number is that of the report.

    Raises Invalid for a bad window or an unknown line.
    """
    wanted = ExportWanted(File.CALLS, window, line=line, staff=False)
    found: list[dict[str, Any]] = []
    number = 0
    async with made(work, wanted) as one:
        async for batch in one.batches:
            rows = batch.select([n for n in COLUMNS if n in batch.schema.names]).to_pylist()
            mine = [row for row in rows if not outcomes or row["outcome"] in outcomes]
            number += len(mine)
            found = sorted([*found, *mine], key=lambda row: row["arrived_local"], reverse=True)
            del found[MOST:]
    write_entry(
        work,
        AuditLog.CALLS_OF_FIGURE_LISTED,
        f"calls:{window.words}",
        outcomes=list(outcomes),
        number=number,
    )
    return found, number


def read_outcomes(text: str) -> tuple[str, ...]:
    """Read outcomes from a URL; unknown words are left out."""
    return tuple(word for word in text.split(",") if word in OUTCOMES)
