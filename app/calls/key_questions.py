"""Which questions by key a line asks of a caller who cannot speak, and in which order."""

from collections.abc import Iterable

from sqlalchemy import select

from app.calls.asked import QUESTIONS
from app.calls.lines.line_rows import Line
from app.calls.speech import LineScript
from app.database.topics import Topic
from app.errors import Invalid
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import Work


async def set_questions(work: Work, line: LineScript, codes: Iterable[str]) -> list[str]:
    """Set the questions of a line, in order; none is a choice, too. Raises Invalid.

    They count from the next question on, also in a call that goes on.
    """
    after = [one.strip() for one in codes]
    unknown = [one for one in after if one not in QUESTIONS]
    if unknown:
        raise Invalid(
            "There is no question %(unknown)s. Choose from: %(questions)s.",
            unknown=unknown,
            questions=list(QUESTIONS),
        )
    if len(set(after)) != len(after):
        raise Invalid("A question is listed twice. Name each one once.")
    row = await work.session.scalar(
        select(Line)
        .where(Line.id == line.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    assert row is not None
    before = questions_in(row.key_questions)
    if before == after:
        return after
    # All of them in their usual order is what a line asks that has chosen none: also one that the
    # program learns later.
    row.key_questions = None if after == list(QUESTIONS) else after
    await work.session.flush()
    write_entry(
        work,
        AuditLog.LINE_KEY_QUESTIONS_SET,
        str(line.id),
        before={"key_questions": before},
        after={"key_questions": after},
    )
    work.announce(Topic.LINES, Topic.CALLS)
    return after


def questions_in(codes: Iterable[str] | None) -> list[str]:
    """Return the codes of a line's questions; a line that has chosen none yet asks all."""
    return [one for one in (QUESTIONS if codes is None else codes) if one in QUESTIONS]


def questions_of(line: LineScript | None) -> list[str]:
    """Return the codes of the questions of a line, in its order; all for an unknown line."""
    return questions_in(line.key_questions if line is not None else None)
