"""What children thought of written conversations: counts of answers, linked to none.

Counted like what was said in contacts: by whole months that are over, each count rounded to a
multiple of 3 (`guard.py`). Months are those of UTC.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import text

from app.calls.states import WRITTEN, Channel
from app.contacts.states import channel_of_call
from app.statistics.counting.summary import zones_of
from app.statistics.periods import Window
from app.statistics.protection.guard import Rounding, over_by, rounding_of
from app.work import Work

# The two questions, and what is asked; answers are from 1 (no) to 5 (yes).
QUESTIONS = {
    "helped": "answers to the question whether writing with the helpline helped the child",
    "again": "answers to the question whether the child would write to the helpline again",
}
ANSWERS = (1, 2, 3, 4, 5)
_SQL = text("""
SELECT f.month, f.channel, q.question, q.answer, array_agg(f.id) AS ids
FROM chat_feedback f JOIN lines l ON l.id = f.line_id
CROSS JOIN LATERAL (VALUES ('helped', f.helped), ('again', f.again)) q (question, answer)
WHERE q.answer IS NOT NULL AND NOT l.practice AND f.month >= :first AND f.month < :last
  AND (l.number = :line OR cast(:line AS text) IS NULL)
GROUP BY 1, 2, 3, 4
""")


@dataclass
class Answers:
    """Rounded counts of the answers to one question, and of all of them together."""

    month: str
    channel: str
    question: str
    counts: dict[int, int]
    all: int


@dataclass
class _Exact:
    counts: dict[int, int] = field(default_factory=lambda: dict.fromkeys(ANSWERS, 0))
    keys: dict[int, int] = field(default_factory=lambda: dict.fromkeys(ANSWERS, 0))

    def add(self, answer: int, ids: list[Any], rounding: Rounding) -> None:
        keys = rounding.keys(b"".join(one.bytes for one in ids))
        self.counts[answer] += len(ids)
        self.keys[answer] += int(keys.astype(np.uint64).sum())

    def shown(self, rounding: Rounding) -> tuple[dict[int, int], int]:
        counts = {n: rounding.rounded(self.counts[n], self.keys[n]) for n in ANSWERS}
        whole = rounding.rounded(sum(self.counts.values()), sum(self.keys.values()))
        return counts, whole


async def feedback(
    work: Work, window: Window, line: str | None = None
) -> tuple[Window, list[Answers]]:
    """Return the answers by month, channel and question, and the window that was counted.

    A channel of a month in which nothing is left after rounding is not shown: its presence would
    show that a child answered. Raises NotAllowed if no whole month is over, Invalid for a line.
    """
    window = over_by(window, work.now)
    (await zones_of(work)).check(line)
    values = {"first": window.begins, "last": window.ends, "line": line}
    found: dict[tuple[str, str], dict[str, _Exact]] = {}
    rounding = rounding_of(work.ground.keys)
    for month, channel, question, answer, ids in await work.session.execute(_SQL, values):
        place = f"{month:%Y-%m}", channel
        here = found.setdefault(place, {name: _Exact() for name in QUESTIONS})
        here[question].add(answer, ids, rounding)
    rows = []
    for month, channel in sorted(found, key=lambda place: (place[0], WRITTEN.index(place[1]))):
        name = channel_of_call(Channel(channel)).value
        for question, exact in found[month, channel].items():
            counts, whole = exact.shown(rounding)
            if whole or any(counts.values()):
                rows.append(Answers(month, name, question, counts, whole))
    return window, rows
