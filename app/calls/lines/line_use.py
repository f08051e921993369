"""A line is retired, and taken back into use.

A caller who waits in a retired line is still answered, and the call-backs that were agreed are
made. Its numbers are free for other lines; a ring on one that no line has is answered as any ring
on an unknown number, by the oldest line.
"""

from uuid import UUID

from sqlalchemy import delete, select

from app.calls.lines import finding_lines, lines, partner_doubts
from app.calls.lines.leading import Leads, tell_supervisors
from app.calls.lines.line_rows import EarlierNumbers, Line, LineNumber
from app.database.topics import Topic
from app.errors import Conflict, NotFound
from app.jobs.names import Task
from app.privacy import ends
from app.staff import former_addresses
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

_NONE_LEADS_HERE: dict[str, list[str]] = {"leads_here": []}


class LastLine(Conflict):
    default = (
        "This is the only line in use. Without it, callers could not reach the helpline. Add "
        "another line first."
    )


class OnlyLineOfPeople(Conflict):
    default = "%(names)s take calls of this line alone. Choose other lines for them first."


async def retired_lines(work: Work) -> list[Line]:
    """Return the lines that are not in use any more, the last retired first."""
    rows = await work.session.scalars(
        select(Line).where(Line.retired_at.is_not(None)).order_by(Line.retired_at.desc(), Line.id)
    )
    return list(rows)


async def retire(work: Work, line_id: UUID) -> None:
    """Take a line out of use: the next caller does not reach it.

    Raises NotFound, LastLine, OnlyLineOfPeople.
    """
    row = await lock_line(work, line_id)
    if not row.active:
        raise NotFound("There is no such line.")
    await check_not_last(work, row)
    await _check_people(work, row)
    _row, line = await finding_lines.read_line(work, line_id)
    behind = await finding_lines.numbers_behind(work, line)
    change = await lines.keep_numbers(
        work, line, before={"leads_here": behind}, after=_NONE_LEADS_HERE
    )
    await work.session.execute(delete(LineNumber).where(LineNumber.line_id == line_id))
    row.active, row.retired_at = False, work.now
    await work.session.flush()
    write_entry(
        work,
        AuditLog.LINE_RETIRED,
        str(line_id),
        before={"active": True, "numbers": [ends.of_number(one) for one in behind]},
        after={"active": False, "numbers": []},
        change=str(change),
    )
    _tell(work, line_id)


async def take_into_use(work: Work, line_id: UUID) -> None:
    """Take a retired line back into use, with the numbers that led to it.

    A partner whose phone is that of a person who has left meanwhile is taken out of its plan,
    and the line is without one; see `lost_partners.py`. Raises NotFound, LineExists if another line
    has one of its numbers now.
    """
    row = await lock_line(work, line_id)
    if row.retired_at is None:
        raise NotFound("There is no such retired line.")
    behind = await _numbers_when_retired(work, row)
    for number in (row.number, *behind):
        if await lines.is_taken(work, number, but=line_id):
            raise lines.LineExists()
    for number in behind:
        work.session.add(LineNumber(number=number, line_id=line_id))
    row.active, row.retired_at = True, None
    await work.session.flush()
    write_entry(
        work,
        AuditLog.LINE_TAKEN_INTO_USE,
        str(line_id),
        before={"active": False, "numbers": []},
        after={"active": True, "numbers": [ends.of_number(one) for one in behind]},
    )
    is_lost = await _take_out_leaver(work, row)
    _tell(work, line_id)
    changed = [Leads.NUMBER] + ([Leads.NUMBERS_BEHIND] if behind else [])
    changed += [Leads.PARTNER_LOST] if is_lost else []
    await tell_supervisors(work, line_id, *changed, taken_back=False)


async def _take_out_leaver(work: Work, row: Line) -> bool:
    """Take the phone of a person who has left out of the plan of a line: callers are not
    connected with it. Return whether it was taken out: then it is an alarm of this person.

    The line is not refused: the plan of a retired one cannot be changed, and no other line may have
    its number. It is locked, as for one who leaves at the same time.
    """
    number = row.plan.get("partner_number")
    found = await former_addresses.of_leavers(work, [number]) if number is not None else {}
    if not found:
        if row.partner_doubted_at is not None:
            await partner_doubts.alarm(work, row)
        return False
    _row, line = await finding_lines.read_line(work, row.id)
    left = {name: value for name, value in row.plan.items() if name != "partner_number"}
    await lines.set_plan(work, line, left, of_leaver=True)
    row.partner_lost_at, row.partner_lost_of = work.now, min(found)
    await work.session.flush()
    work.defer(Task.WATCH_LEAVER, staff_id=str(row.partner_lost_of))
    return True


async def _numbers_when_retired(work: Work, row: Line) -> list[str]:
    """Return the numbers that led to a retired line beside its own."""
    kept = await work.session.scalar(
        select(EarlierNumbers).where(
            EarlierNumbers.line_id == row.id,
            EarlierNumbers.at == row.retired_at,
            EarlierNumbers.after == _NONE_LEADS_HERE,
        )
    )
    return list(kept.before["leads_here"]) if kept is not None else []


async def lock_line(work: Work, line_id: UUID) -> Line:
    """Return a line. All lines are locked: of two that are retired at once, one stays. Raises
    NotFound."""
    found = next((one for one in await lines.lock_lines(work) if one.id == line_id), None)
    if found is None:
        raise NotFound("There is no such line.")
    return found


async def check_not_last(work: Work, row: Line) -> None:
    """Check that another line than this one answers callers. Raises LastLine."""
    if row.practice:
        return
    other = select(Line.id).where(Line.active, Line.practice.is_(False), Line.id != row.id)
    if await work.session.scalar(other.limit(1)) is None:
        raise LastLine()


async def _check_people(work: Work, row: Line) -> None:
    """Check that each person who takes calls of this line takes those of another line as well.

    A line for practice is no other line for people who take real calls.
    """
    others = [
        one for one in await finding_lines.all_lines(work) if row.practice or not one.practice
    ]
    in_use = {one.number for one in others} - {row.number}
    people = await work.session.execute(
        select(Staff.name, Staff.lines)
        .where(Staff.active, Staff.lines.any_() == row.number)
        .order_by(Staff.name)
    )
    names = [name for name, numbers in people if not in_use & set(numbers)]
    if names:
        raise OnlyLineOfPeople(names=names)


def _tell(work: Work, line_id: UUID) -> None:
    # By its bots children write only while it is in use.
    work.defer(Task.SET_UP_ACCOUNTS, line_id=str(line_id))
    work.announce(Topic.LINES, Topic.ROSTER, Topic.QUEUE)
