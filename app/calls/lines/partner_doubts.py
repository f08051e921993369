"""Partners' numbers that a person who has left had entered as their second phone, and never
proved: it may be theirs, or that of the partner. It is in doubt, and an alarm, until it is approved
or confirmed. Callers are connected with it meanwhile: any counsellor could have entered it.
"""

from uuid import UUID

from sqlalchemy import select

from app.calls.lines.line_rows import Line
from app.jobs.names import Task
from app.staff import former_addresses
from app.work import Work


async def look_at(work: Work, row: Line) -> None:
    """Put the number that became the partner of a locked line in doubt if it is perhaps that of a
    person who has left; the earlier number is no longer in doubt."""
    row.partner_doubted_at = work.now if await alarm(work, row) else None
    row.partner_to_look_at = False
    await work.session.flush()


async def alarm(work: Work, row: Line) -> bool:
    """Have the leavers looked at who had entered the number of a line's partner. Return whether
    there are any."""
    found = await _perhaps_of(work, row)
    for staff_id in sorted(found):
        work.defer(Task.WATCH_LEAVER, staff_id=str(staff_id))
    return bool(found)


async def is_in_doubt(work: Work, row: Line) -> bool:
    """Return whether the number of a line's partner is in doubt now: not while the person is back,
    nor once a colleague has proven it."""
    return row.partner_doubted_at is not None and bool(await _perhaps_of(work, row))


async def end(work: Work, row: Line) -> None:
    """Note that the number of the partner of a locked line is not in doubt any more."""
    row.partner_doubted_at, row.partner_to_look_at = None, False
    await work.session.flush()


async def _perhaps_of(work: Work, row: Line) -> set[UUID]:
    number = row.plan.get("partner_number")
    return set(await former_addresses.perhaps_of_leavers(work, [number])) if number else set()


async def to_look_at(work: Work) -> list[UUID]:
    """Return the lines whose partner is still to be held against the people who left earlier."""
    return list(await work.session.scalars(select(Line.id).where(Line.partner_to_look_at)))


async def look_at_once(work: Work, line_id: UUID) -> None:
    """Hold the number of a line's partner against the people who left earlier, and let what is open
    of them be looked at. May run twice: it does nothing the second time.

    Calls come in meanwhile. A person who leaves at the same time is found here, or the number is
    found when they leave.
    """
    row = await work.session.scalar(
        select(Line)
        .where(Line.id == line_id, Line.partner_to_look_at)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if row is None:
        return
    if await alarm(work, row):
        row.partner_doubted_at = row.partner_doubted_at or work.now
    number = row.plan.get("partner_number")
    for staff_id in sorted(await former_addresses.of_leavers(work, [number]) if number else ()):
        work.defer(Task.WATCH_LEAVER, staff_id=str(staff_id))
    row.partner_to_look_at = False
    await work.session.flush()
