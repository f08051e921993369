"""The end of an emergency access: before its time, in time, or because its person has left."""

from datetime import timedelta
from uuid import UUID

from app.errors import NotAllowed
from app.jobs.names import Task
from app.people import ending
from app.people.emergency import emergencies, emergency_reading, telling
from app.people.traces import accounts as traces_of_accounts
from app.staff import second_factor
from app.staff.emergency_rows import LIVE, Emergency, EmergencyState
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.staff.sessions import accounts_changed
from app.work import Work


async def end(work: Work, staff: Staff | None, emergency_id: UUID) -> None:
    """End an emergency access before its time, or take back what was asked for.

    Raises NoEmergency, NotAllowed.
    """
    row = await emergencies.locked(work, emergency_id, *LIVE)
    if staff is not None and not may_end(row, staff):
        raise NotAllowed()
    await _close(work, row, staff)


def may_end(row: Emergency, staff: Staff) -> bool:
    """Return whether a person may end it: who asked, who acts under it, and who is alarmed."""
    own = staff.id in (row.asked_by, row.account_id)
    return own or may(staff.role, Permission.SEE_EMERGENCIES)


async def close_in_time(work: Work, emergency_id: UUID, *, at_once: bool = False) -> None:
    """End what is over: its time, or the time to confirm it. May run twice.

    `at_once`: it ends before its time, because the person who asked has left, has another role, or
    lost every way in.
    """
    try:
        row = await emergencies.locked(work, emergency_id, *LIVE)
    except emergencies.NoEmergency:
        return
    due = row.confirm_until if row.state == EmergencyState.ASKED else row.until
    assert due is not None
    if at_once or due <= work.now:
        await _close(work, row, None)
    elif due - work.now < timedelta(minutes=1):
        # The job's clock was a little ahead of ours.
        work.defer(Task.CLOSE_EMERGENCY, delay=due - work.now, emergency_id=str(row.id))


async def _close(work: Work, row: Emergency, by: Staff | None) -> None:
    before = row.state
    was_open = before == EmergencyState.OPEN
    row.state = (EmergencyState.ENDED if was_open else EmergencyState.LAPSED).value
    row.ended_at, row.ended_by = work.now, by.id if by is not None else None
    left = (await traces_of_accounts.undo(work, row)).accounts_left if was_open else 0
    # Before the mark goes: ending it is an act under it, too.
    emergencies.note(
        work, AuditLog.EMERGENCY_ENDED, row, before=before, **({"left": left} if left else {})
    )
    if was_open:
        await _end_access(work, row)
        # Settings are put back by the areas that keep them.
        work.defer(Task.UNDO_SETTINGS, emergency_id=str(row.id))
    await work.session.flush()
    await telling.sound(work, row)


async def _end_access(work: Work, row: Emergency) -> None:
    acting_id = row.account_id or row.asked_by
    acting = await work.session.get_one(Staff, acting_id, populate_existing=True)
    acting.under_emergency = None
    if row.account_id is not None:
        await ending.sign_out(work, acting)
        # What was set up meanwhile opens nothing the next time.
        acting.password_hash = None
        await second_factor.take_away(work, acting)
    else:
        await emergency_reading.end(work, row, acting)
    await work.session.flush()
    accounts_changed(work)
