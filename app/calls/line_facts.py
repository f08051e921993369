"""The number, the country and the time zone of a line, and whether it is for practice."""

from typing import Any

from sqlalchemy import delete, func, update

from app.calls import line_use, lines
from app.calls.hours import read_hours
from app.calls.line_rows import Line, LineNumber
from app.calls.speech import LineScript
from app.database.topics import Topic
from app.errors import Invalid, why
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.sessions import accounts_changed
from app.work import Work


async def change_facts(
    work: Work,
    line: LineScript,
    *,
    number: str | None = None,
    country: str | None = None,
    timezone: str | None = None,
    practice: bool | None = None,
) -> None:
    """Change what a line is; None leaves a value as it is. The next caller meets it.

    A short number keeps the former one behind it, and a number behind the line may become its own.
    Raises Invalid, LineExists, LastLine.
    """
    row = await lines.lock_line(work, line.id)
    before = facts_of(row)
    given = {"number": number, "country": country, "timezone": timezone, "practice": practice}
    after = before | {name: value for name, value in given.items() if value is not None}
    after["country"] = str(after["country"]).strip().upper()
    after["timezone"] = str(after["timezone"]).strip()
    lines.check_place(after["country"], after["timezone"])
    after["number"] = lines.read_number(str(after["number"]))
    different = [name for name in before if before[name] != after[name]]
    if not different:
        return
    try:
        read_hours(row.opening_hours, after["timezone"], after["country"])
    except ValueError as error:
        raise Invalid("%(problem)s.", problem=why(error)) from None
    if after["practice"] and not before["practice"]:
        await line_use.check_not_last(work, row)
    if "number" in different:
        await _change_number(work, row, after["number"])
    row.country, row.timezone = after["country"], after["timezone"]
    row.practice = after["practice"]
    await work.session.flush()
    write_entry(
        work,
        AuditLog.LINE_FACTS_SET,
        str(line.id),
        before={name: before[name] for name in different},
        after={name: after[name] for name in different},
    )
    work.announce(Topic.LINES, Topic.ROSTER, Topic.QUEUE)


def facts_of(row: Line) -> dict[str, Any]:
    """Return what can be changed here, as it is now."""
    return {
        "number": row.number,
        "country": row.country,
        "timezone": row.timezone,
        "practice": row.practice,
    }


async def _change_number(work: Work, row: Line, number: str) -> None:
    if await lines.is_taken(work, number, but=row.id):
        raise lines.LineExists()
    if await lines.is_retired(work, number):
        raise lines.LineRetired()
    former, row.number = row.number, number
    # One of the numbers behind the line is its own now.
    await work.session.execute(
        delete(LineNumber).where(LineNumber.line_id == row.id, LineNumber.number == number)
    )
    if not number.startswith("+"):
        if former.startswith("+"):
            work.session.add(LineNumber(number=former, line_id=row.id))
        await work.session.flush()
        if not await lines.has_numbers_behind(work, row.id):
            raise Invalid("A short number needs at least one of the provider's numbers behind it.")
    # People who take the calls of some lines only are matched by the numbers of these.
    await work.session.execute(
        update(Staff)
        .where(Staff.lines.any_() == former)
        .values(lines=func.array_replace(Staff.lines, former, number))
        .execution_options(synchronize_session=False)
    )
    accounts_changed(work)
