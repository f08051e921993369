"""Export the room: fairness, coverage of each line, call-backs due; one figure a row."""

from typing import Any

from app.errors import Message
from app.statistics import staff_measures
from app.statistics.counting import due_callbacks
from app.statistics.counting.counsellors import room
from app.statistics.counting.summary import zones_of
from app.statistics.exports.tables import (
    CODE,
    SENTENCE,
    OutColumn,
    OutTable,
    Said,
    batch_of,
    country_note,
)
from app.statistics.periods import Window
from app.work import Work

COLUMNS = [
    OutColumn("measure", "text", "name of the figure", labels=CODE),
    OutColumn("line", "text", "the line it is about; empty: the whole room", labels="line"),
    OutColumn("value", "number", "the figure; empty: it cannot be computed"),
    OutColumn("words", "text", "what it means", title="meaning", labels=SENTENCE),
]


async def room_measures(work: Work, window: Window) -> tuple[OutTable, Any]:
    """Return the figures of the room over a window in the country's zone."""
    found = await room(work, window)
    zones = await zones_of(work)
    kept = await due_callbacks.due_callbacks(work, window, zones.country)
    rows: list[list[Any]] = [["fairness", None, found.fairness, staff_measures.FAIRNESS_WORDS]]
    rows += [
        ["coverage", line, round(share, 6), staff_measures.COVERAGE_WORDS]
        for line, share in found.coverage.items()
    ]
    rows += [[name, None, kept.numbers[name], words] for name, words in due_callbacks.WORDS.items()]
    notes: list[Said] = [
        country_note(window),
        Message("as of %(at)s", at=found.as_of.isoformat(timespec="seconds")),
    ]
    table = OutTable("Room", COLUMNS, notes)
    return table, batch_of(table, rows)
