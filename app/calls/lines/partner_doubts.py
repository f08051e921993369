"""Partners' numbers that a person who has left had entered as their second telephone, and never
proved: it may be theirs, or that of the partner. It is in doubt, and an alarm, until it is approved
or entered again. Callers are connected with it meanwhile: any counsellor could have entered it.
"""

from app.calls.lines.line_rows import Line
from app.jobs.names import Task
from app.staff import former_addresses
from app.work import Work


async def look_at(work: Work, row: Line) -> None:
    """Put the number that became the partner of a locked line in doubt if it is perhaps that of a
    person who has left; a number of before is not in doubt any more."""
    row.partner_doubted_at = work.now if await alarm(work, row) else None
    await work.session.flush()


async def alarm(work: Work, row: Line) -> bool:
    """Let what is open of the people be looked at who had entered the number of a line's partner
    and have left. Return whether there are any."""
    number = row.plan.get("partner_number")
    found = await former_addresses.perhaps_of_leavers(work, [number]) if number else {}
    for staff_id in sorted(found):
        work.defer(Task.WATCH_LEAVER, staff_id=str(staff_id))
    return bool(found)
