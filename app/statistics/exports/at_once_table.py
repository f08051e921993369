"""Export how many written conversations counsellors had at once, by period."""

from typing import Any

from app.errors import Invalid, Message, why
from app.statistics import staff_measures
from app.statistics.counting import at_once
from app.statistics.counting.labels import CELL, TOTAL
from app.statistics.counting.summary import zones_of
from app.statistics.exports.tables import CODE, OutColumn, OutTable, Said, batch_of, country_note
from app.statistics.facts.days import reading
from app.statistics.measures import rounded
from app.statistics.periods import BadWindow, Period, Window
from app.work import Work

_WHOLE = ("chat_time", "chats_most")
COLUMNS = [
    OutColumn("period", "text", "the period, in the country's time; empty: the whole window"),
    OutColumn("row", "text", "cell: a period; total: the whole window", labels=CODE),
    *(
        OutColumn(name, "whole" if name in _WHOLE else "number", words)
        for name, words in staff_measures.AT_ONCE.items()
    ),
]


async def at_once_table(work: Work, window: Window, period: Period | None) -> tuple[OutTable, Any]:
    """Return the load of all counsellors together in each period. Raises Invalid."""
    zones = await zones_of(work)
    async with reading(work.ground, work.now) as look:
        try:
            found = await at_once.by_period(look, zones, window, period)
        except BadWindow as error:
            raise Invalid(why(error)) from None
    whole = at_once.together([one for _, one in found])
    parts = [(label, CELL, one) for label, one in found] if period is not None else []
    rows = [
        [label, kind, *(rounded(value) for value in one.figures().values())]
        for label, kind, one in [*parts, ("", TOTAL, whole)]
    ]
    notes: list[Said] = [
        country_note(window),
        Message("as of %(at)s", at=work.now.isoformat(timespec="seconds")),
    ]
    table = OutTable("Conversations at once", COLUMNS, notes)
    return table, batch_of(table, rows)
