"""Export what children thought of written conversations: one count a row."""

from typing import Any

from app.errors import Message
from app.statistics.counting import feedback
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
from app.statistics.protection.guard import BASE
from app.work import Work

COLUMNS = [
    OutColumn("month", "text", "the month in which the child answered"),
    OutColumn("channel", "text", "how the child wrote", labels="channel"),
    OutColumn("question", "text", "name of the question", labels=CODE),
    OutColumn("answer", "text", "from 1 (no) to 5 (yes); `all` for all answers"),
    OutColumn("number", "whole", "how many children gave this answer"),
    OutColumn("words", "text", "what it means", title="meaning", labels=SENTENCE),
]
ROUNDED = Message(
    "each count is rounded up or down to a multiple of %(base)s, so rows need not add up; no "
    "answer is linked to a conversation, and none is asked for after danger",
    base=BASE,
)


async def feedback_table(work: Work, window: Window, line: str | None) -> tuple[OutTable, Any]:
    """Return the answers of the whole months of a window that are over. Raises NotAllowed,
    Invalid."""
    window, found = await feedback.feedback(work, window, line)
    rows: list[list[Any]] = []
    for one in found:
        numbers = {**{str(n): count for n, count in one.counts.items()}, "all": one.all}
        head = [one.month, one.channel, one.question]
        words = feedback.QUESTIONS[one.question]
        rows += [[*head, answer, number, words] for answer, number in numbers.items()]
    notes: list[Said] = [
        country_note(window),
        ROUNDED,
        Message("as of %(at)s", at=work.now.isoformat(timespec="seconds")),
    ]
    table = OutTable("Feedback", COLUMNS, notes)
    return table, batch_of(table, rows)
