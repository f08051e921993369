"""The number, the country and the time zone of a line, and whether it is for practice."""

from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update

from app.calls.hours import read_hours
from app.calls.lines import line_use, lines
from app.calls.lines.leading import Leads, tell_supervisors
from app.calls.lines.line_rows import Line, LineNumber
from app.calls.models import Call
from app.calls.speech import LineScript
from app.database.topics import Topic
from app.errors import Conflict, Invalid, why
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.sessions import accounts_changed
from app.work import Work

# In the entry of the log of a new number: whether it stood behind the line before.
STOOD_BEHIND = "stood_behind"


class LineHasCalls(Conflict):
    """A line that has had a call stays real, or stays for practice: what its calls are is known
    by it, also to the alarms of danger and the referrals of earlier ones."""

    default = "The line has had calls, so it stays what it is: a real line, or one for practice."


async def change_facts(
    work: Work,
    line: LineScript,
    *,
    number: str | None = None,
    country: str | None = None,
    timezone: str | None = None,
    practice: bool | None = None,
    keeps_former: bool = True,
) -> None:
    """Change what a line is; None leaves a value as it is. The next caller meets it.

    The former number stays behind the line if `keeps_former`, since children know it, or if a short
    number has no other one; a number behind the line may become its own. Raises Invalid,
    LineExists, LastLine, LineHasCalls.
    """
    row = await line_use.lock_line(work, line.id)
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
    if "practice" in different and await has_calls(work, row.id):
        raise LineHasCalls()
    if after["practice"] and not before["practice"]:
        await line_use.check_not_last(work, row)
    more = {}
    if "number" in different:
        stood_behind = await _change_number(work, row, after["number"], keeps_former=keeps_former)
        more[STOOD_BEHIND] = stood_behind
    row.country, row.timezone = after["country"], after["timezone"]
    row.practice = after["practice"]
    await work.session.flush()
    write_entry(
        work,
        AuditLog.LINE_FACTS_SET,
        str(line.id),
        before={name: before[name] for name in different},
        after={name: after[name] for name in different},
        **more,
    )
    work.announce(Topic.LINES, Topic.ROSTER, Topic.QUEUE)
    leads = {"number": Leads.NUMBER, "country": Leads.COUNTRY}
    told = [leads[name] for name in different if name in leads]
    await tell_supervisors(work, line.id, *told)


async def has_calls(work: Work, line_id: UUID) -> bool:
    """Return whether a line has had a call, or a conversation in writing."""
    found = select(Call.id).where(Call.line_id == line_id).limit(1)
    return await work.session.scalar(found) is not None


def facts_of(row: Line) -> dict[str, Any]:
    """Return what can be changed here, as it is now."""
    return {
        "number": row.number,
        "country": row.country,
        "timezone": row.timezone,
        "practice": row.practice,
    }


async def _change_number(work: Work, row: Line, number: str, *, keeps_former: bool) -> bool:
    """Return whether the new number stood behind the line before."""
    if await lines.is_taken(work, number, but=row.id):
        raise lines.LineExists()
    if await lines.is_retired(work, number):
        raise lines.LineRetired()
    former, row.number = row.number, number
    # One of the numbers behind the line is its own now.
    removed = await work.session.scalars(
        delete(LineNumber)
        .where(LineNumber.line_id == row.id, LineNumber.number.in_((number, former)))
        .returning(LineNumber.number)
    )
    stood_behind = number in removed.all()
    needs_one = not number.startswith("+") and not await lines.has_numbers_behind(work, row.id)
    if former.startswith("+") and (keeps_former or needs_one):
        work.session.add(LineNumber(number=former, line_id=row.id))
    elif needs_one:
        raise Invalid("A short number needs at least one of the provider's numbers behind it.")
    await work.session.flush()
    # People who take the calls of some lines only are matched by the numbers of these.
    await work.session.execute(
        update(Staff)
        .where(Staff.lines.any_() == former)
        .values(lines=func.array_replace(Staff.lines, former, number))
        .execution_options(synchronize_session=False)
    )
    accounts_changed(work)
    return stood_behind
