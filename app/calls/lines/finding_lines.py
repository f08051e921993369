"""Finding a line: by the number that was dialled or one behind it, or by its id."""

from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, or_, select

from app.calls.lines.line_rows import Line, LineNumber
from app.calls.lines.line_scripts import OLDEST, read_script, script_of
from app.calls.speech import LineScript
from app.database.topics import Topic
from app.errors import NotFound
from app.privacy.numbers import dialled
from app.work import Work


async def numbers_of(work: Work) -> dict[str, LineScript]:
    """Return every number at the provider that leads to a line, with its line."""
    rows = await work.session.execute(select(Line.id, Line.number).where(Line.active))
    mapped = await work.session.execute(select(LineNumber.line_id, LineNumber.number))
    found: dict[str, LineScript] = {}
    for line_id, number in (*rows.all(), *mapped.all()):
        line = await line_of_id(work, line_id)
        if line is not None and number.startswith("+"):
            found[number] = line
    return found


# Built once: every webhook asks for a line, and nearly always finds it in the memory.
_OF_NUMBER = select(Line).where(
    or_(
        Line.number == bindparam("value"),
        Line.id
        == select(LineNumber.line_id)
        .where(LineNumber.number == bindparam("value"))
        .scalar_subquery(),
    ),
    Line.active,
)
# Calls of a retired line are still its own.
_OF_ID = select(Line).where(
    Line.id == bindparam("value"), or_(Line.active, Line.retired_at.is_not(None))
)


async def line_of_number(work: Work, number: str | None) -> LineScript | None:
    """Return the active line that was dialled by a number, short number or SIP address, or None."""
    valid = dialled(number)
    if valid is None:
        return None
    return await script_of(work, _OF_NUMBER, ("number", valid))


async def line_of_id(work: Work, line_id: UUID | None) -> LineScript | None:
    """Return the line of a call, also a retired one; None for a ring on a number that we do not
    know."""
    if line_id is None:
        return None
    return await script_of(work, _OF_ID, ("id", line_id))


async def all_lines(work: Work) -> list[Line]:
    """Return the lines in use, oldest first."""
    rows = await work.session.scalars(
        select(Line).where(Line.active).order_by(Line.created_at, Line.number)
    )
    return list(rows)


async def read_line(work: Work, line_id: UUID) -> tuple[Line, LineScript]:
    """Return a line as it is stored now, past what is remembered. Raises NotFound."""
    line = await work.session.get(Line, line_id, populate_existing=True)
    if line is None or not line.active:
        raise NotFound("There is no such line.")
    return line, await read_script(work, line)


async def numbers_behind(work: Work, line: LineScript) -> list[str]:
    """Return the provider's numbers that lead to a line, beside its own."""
    rows = await work.session.scalars(
        select(LineNumber.number).where(LineNumber.line_id == line.id).order_by(LineNumber.number)
    )
    return list(rows)


async def any_line(work: Work) -> LineScript | None:
    """Return the oldest line, whose prompts answer a ring on a number that we do not know."""
    return await script_of(work, OLDEST, ("any", None))


async def line_or_any(work: Work, line_id: UUID | None) -> LineScript | None:
    """Return a line; the oldest for a call whose line we do not know. None if there is no line."""
    return await line_of_id(work, line_id) or await any_line(work)


class CallRules(NamedTuple):
    """What routing has to know about a line."""

    number: str
    plan: dict[str, Any]
    practice: bool
    chat: dict[str, Any]


async def call_rules(work: Work) -> dict[UUID, CallRules]:
    """Return the rules of all lines, also of inactive ones: callers may still wait on them."""
    known: dict[UUID, CallRules] | None = work.ground.memory.recall(Topic.LINES, "rules", work.now)
    if known is not None:
        return known
    rows = await work.session.execute(
        select(Line.id, Line.number, Line.plan, Line.practice, Line.chat)
    )
    found = {row[0]: CallRules(*row[1:]) for row in rows}
    work.ground.memory.keep(Topic.LINES, "rules", found, work.now + timedelta(seconds=30))
    return found


async def is_practice(work: Work, line_id: UUID | None) -> bool:
    """Return whether a line is for training: no figure counts its calls, and none leaves us."""
    return bool(await work.session.scalar(select(Line.practice).where(Line.id == line_id)))
