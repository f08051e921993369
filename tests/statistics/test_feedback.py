"""What children thought, counted: by month and channel, rounded, and never for a month that goes
on."""

from collections import Counter
from datetime import UTC, date, datetime
from itertools import count
from uuid import UUID

import pytest

from app.calls.lines import finding_lines
from app.chats.models import Feedback
from app.demo.stage import LINE
from app.errors import Invalid, NotAllowed
from app.statistics.counting import feedback
from app.statistics.exports.exporting import ExportWanted, made
from app.statistics.exports.files import File
from app.statistics.periods import Window
from app.statistics.protection.guard import BASE
from app.statistics.reports import reports
from app.work import Work
from tests.support.verbs import a_line

# Together they take seconds, and are not among the fast ones.
pytestmark = pytest.mark.whole

# The draws follow from the ids.
_IDS = count(1)
YEAR = Window(date(2029, 1, 1), date(2030, 1, 1))


async def answered(
    work: Work, month: int, helped: int | None, again: int | None, channel: str = "web"
) -> None:
    line = await finding_lines.line_of_number(work, LINE)
    assert line is not None
    row = Feedback(
        id=UUID(int=next(_IDS) << 64),
        line_id=line.id,
        channel=channel,
        month=date(2029, month, 1),
        helped=helped,
        again=again,
    )
    work.session.add(row)
    await work.session.flush()


async def test_answers_are_counted_by_month_and_channel_and_rounded(work: Work) -> None:
    await a_line(work)
    work.now = datetime(2030, 1, 15, tzinfo=UTC)
    told: Counter[tuple[int, int]] = Counter()
    for n in range(40):
        month, answer = 3 + n % 2, 1 + n % 5
        told[month, answer] += 1
        await answered(work, month, answer, 5 if n < 30 else None)
    window, found = await feedback.feedback(work, YEAR)
    assert window == YEAR
    rows = {(one.month, one.question): one for one in found}
    assert set(rows) == {(f"2029-0{n}", q) for n in (3, 4) for q in ("helped", "again")}
    for (month, answer), number in told.items():
        shown = rows[f"2029-0{month}", "helped"].counts[answer]
        assert shown % BASE == 0
        assert abs(shown - number) < BASE
    assert {one.all for one in found if one.question == "again"} == {15}
    assert (await feedback.feedback(work, YEAR))[1] == found, "the same again"
    _, of_line = await feedback.feedback(work, YEAR, LINE)
    assert of_line == found
    with pytest.raises(Invalid):
        await feedback.feedback(work, YEAR, "+381999")


async def test_a_single_answer_is_hidden_or_drawn_and_so_is_its_channel(work: Work) -> None:
    await a_line(work)
    work.now = datetime(2030, 1, 15, tzinfo=UTC)
    for month in range(1, 13):
        await answered(work, month, 1, None, "sms")
    _, found = await feedback.feedback(work, YEAR)
    assert len(found) < 12, "a month in which nothing is left is not shown"
    for one in found:
        assert one.channel == "sms"
        assert {*one.counts.values(), one.all} <= {0, BASE}


async def test_a_month_that_goes_on_is_not_counted(work: Work) -> None:
    await a_line(work)
    work.now = datetime(2029, 3, 20, tzinfo=UTC)
    for _ in range(9):
        await answered(work, 3, 5, 5)
    with pytest.raises(NotAllowed):
        await feedback.feedback(work, Window(date(2029, 3, 1), date(2029, 4, 1)))
    with pytest.raises(NotAllowed):
        await feedback.feedback(work, Window(date(2029, 2, 5), date(2029, 3, 5)))
    _, found = await feedback.feedback(work, Window(date(2029, 1, 1), date(2029, 4, 1)))
    assert found == []


async def test_the_file_says_what_was_asked_and_adds_a_row_for_all(work: Work) -> None:
    await a_line(work)
    work.now = datetime(2030, 1, 15, tzinfo=UTC)
    for _ in range(9):
        await answered(work, 6, 4, None)
    async with made(work, ExportWanted(File.FEEDBACK, YEAR)) as one:
        rows = [row async for batch in one.batches for row in batch.to_pylist()]
    assert [(row["answer"], row["number"]) for row in rows] == [
        *[(str(n), 9 if n == 4 else 0) for n in (1, 2, 3, 4, 5)],
        ("all", 9),
    ]
    (words,) = {row["words"] for row in rows}
    assert words == feedback.QUESTIONS["helped"]
    assert {(row["month"], row["channel"], row["question"]) for row in rows} == {
        ("2029-06", "chat", "helped")
    }
    assert "feedback" in reports.kinds(work)
