"""The languages of a line: added, and removed without harm to callers who wait in one.

A removed language keeps its row. A caller who chose it is still matched and hears it, while the
menu of the next caller does not have it any more. Added again, it has its place and its digit back.
"""

from sqlalchemy import select

from app.calls.chat_rules import read_chat
from app.calls.lines import lines
from app.calls.lines.line_rows import LineLanguage
from app.calls.speech import LineScript
from app.database.topics import Topic
from app.errors import Invalid
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import Work


async def add_language(work: Work, line: LineScript, language: str) -> str:
    """Add a language to a line, after its others. Return the digit of the menu that chooses it.

    Callers are offered it from the next call on. Raises Invalid.
    """
    lines.check_language(language)
    await lines.lock_line(work, line.id)
    rows = await _rows(work, line)
    before = _in_use(rows)
    if language in before:
        raise Invalid("The line speaks '%(language)s' already.", language=language)
    await lines.check_speakable(work, language, line.id)
    row = next((one for one in rows if one.language == language), None)
    digit = _digit(rows, row)
    if row is None:
        place = max(one.position for one in rows) + 1
        work.session.add(lines.row_of_language(line.id, language, place, digit))
    else:
        row.digit, row.removed_at = digit, None
    await work.session.flush()
    _note(work, line, AuditLog.LINE_LANGUAGE_ADDED, before, _in_use(await _rows(work, line)))
    return digit


async def remove_language(work: Work, line: LineScript, language: str) -> None:
    """Remove a language from a line: the next caller is not offered it. Raises Invalid.

    Callers who chose it, and call-backs that are agreed in it, keep it.
    """
    row = await lines.lock_line(work, line.id)
    rows = await _rows(work, line)
    before = _in_use(rows)
    if language not in before:
        raise Invalid("The line does not speak '%(language)s'.", language=language)
    left = [one for one in before if one != language]
    if not left:
        raise Invalid("This is the last language of the line. Add another one first.")
    chat = read_chat(row.chat)
    if chat.on and not any(chat.speaks(one) for one in left):
        raise Invalid(
            "This is the only language in which children write to this line. Choose another one "
            "for conversations first."
        )
    next(one for one in rows if one.language == language).removed_at = work.now
    await work.session.flush()
    _note(work, line, AuditLog.LINE_LANGUAGE_REMOVED, before, left)


async def set_languages(work: Work, line: LineScript, languages: list[str]) -> None:
    """Add and remove what makes these the languages of a line. Raises Invalid."""
    before = _in_use(await _rows(work, line))
    new = [one for one in languages if one not in before]
    over = [one for one in before if one not in languages]
    # A line has room for eight, and keeps one.
    first, then = (over, new) if len(over) < len(before) else (new, over)
    for language in first + then:
        if language in new:
            await add_language(work, line, language)
        else:
            await remove_language(work, line, language)


async def _rows(work: Work, line: LineScript) -> list[LineLanguage]:
    """Return the languages of a line as they are stored now, also those that were removed."""
    found = await work.session.scalars(
        select(LineLanguage)
        .where(LineLanguage.line_id == line.id)
        .order_by(LineLanguage.position)
        .execution_options(populate_existing=True)
    )
    return list(found)


def _in_use(rows: list[LineLanguage]) -> list[str]:
    return [one.language for one in rows if one.removed_at is None]


def _digit(rows: list[LineLanguage], own: LineLanguage | None) -> str:
    """Return the digit for a language: its former one, or else one that no language ever had.

    A caller may hear the menu of a moment ago, so a digit that another language had comes last.
    Raises Invalid.
    """
    used = {one.digit for one in rows if one.removed_at is None}
    once = {one.digit for one in rows}
    wanted = [own.digit] if own is not None else []
    wanted += sorted(lines.DIGITS, key=lambda digit: (digit in once, digit))
    free = [digit for digit in wanted if digit not in used]
    if not free:
        raise Invalid("A line has at most eight languages: a menu has no more digits.")
    return free[0]


def _note(
    work: Work, line: LineScript, kind: AuditLog, before: list[str], after: list[str]
) -> None:
    write_entry(work, kind, str(line.id), before={"languages": before}, after={"languages": after})
    work.announce(Topic.LINES)
