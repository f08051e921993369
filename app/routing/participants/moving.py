"""A supervisor takes over a talk of the team, or moves it to another counsellor.

The child is never hung up on: it goes on talking until the other one is there.
"""

from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true

from app.calls import record
from app.calls.lines import finding_lines
from app.calls.models import Call
from app.errors import Conflict
from app.routing import handing_over
from app.routing.models import Offer, Presence, PresenceState
from app.routing.participants import actions, inviting, participants
from app.routing.supervision import supervised
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work


class PracticeStays(Conflict):
    default = "A practice call stays with its trainee. Listen or join, or end the talk."


def _others(staff: Staff | None) -> ColumnElement[bool]:
    return Staff.id != staff.id if staff is not None else true()


async def free_colleagues(work: Work, staff: Staff | None = None) -> list[Staff]:
    """Return to whom a talk can go now, by name: available or in wrap-up, without `staff`."""
    rows = await work.session.scalars(
        select(Staff)
        .join(Presence, Presence.counsellor_id == Staff.id)
        .where(
            Staff.active,
            _others(staff),
            Presence.state.in_((PresenceState.AVAILABLE, PresenceState.WRAP_UP)),
        )
        .order_by(Staff.name)
    )
    return [one for one in rows if may(one.role, Permission.TAKE_CALLS)]


async def free_writers(work: Work, staff: Staff | None = None) -> list[Staff]:
    """Return to whom a written conversation can go now, by name: with room for one more."""
    held = (
        select(func.count())
        .where(
            Offer.counsellor_id == Staff.id,
            Offer.released_at.is_(None),
            Offer.slot.is_not(None),
        )
        .correlate(Staff)
        .scalar_subquery()
    )
    there = (PresenceState.AVAILABLE, PresenceState.WRITING, PresenceState.WRAP_UP)
    rows = await work.session.scalars(
        select(Staff)
        .join(Presence, Presence.counsellor_id == Staff.id)
        .where(
            Staff.active,
            _others(staff),
            Presence.state.in_(there),
            held < Staff.chats_at_once,
        )
        .order_by(Staff.name)
    )
    return [one for one in rows if may(one.role, Permission.TAKE_CALLS)]


async def take_over(work: Work, by: Staff, call_id: UUID) -> None:
    """Give a talk to the supervisor who is in it; its counsellor goes into wrap-up.

    Raises NotFound, Conflict, Busy, NotInTheTalk.
    """
    call = await _lock(work, by, call_id)
    if call.is_written:
        talk = await inviting.talk_of(work, call)
        if await participants.helps(work, by.id):
            raise inviting.Busy("You are in the talk of a colleague. Leave it first.")
        if talk.counsellor_id != by.id:
            await handing_over.take_written(work, call, talk, by)
            write_entry(work, AuditLog.TALK_TAKEN_OVER, str(call_id))
        return
    for participant in await participants.live_participants(work, call.id):
        if participant.staff_id == by.id and participant.owner_offer_id is None:
            await actions.complete(work, call, participant.id)
            write_entry(work, AuditLog.TALK_TAKEN_OVER, str(call_id))
            return
    raise Conflict("Listen, whisper or join first. Then you can take the talk over.")


async def move_talk(work: Work, by: Staff, call_id: UUID, staff_id: UUID) -> None:
    """Ask a colleague into a talk, which is theirs as soon as they are in.

    Raises NotFound, Conflict, Busy.
    """
    call = await _lock(work, by, call_id)
    talk = await inviting.talk_of(work, call)
    holder = await work.session.get_one(Staff, talk.counsellor_id)
    # Asked in the counsellor's name: if the talk has gone on to another meanwhile, it stays there.
    await inviting.transfer(work, holder, call, staff_id=staff_id)
    write_entry(work, AuditLog.TALK_MOVED, str(call_id), to=str(staff_id))


async def _lock(work: Work, by: Staff, call_id: UUID) -> Call:
    call = await record.lock_call(work, call_id)
    await supervised.check_supervises(work, by, call_id)
    if await finding_lines.is_practice(work, call.line_id):
        raise PracticeStays()
    return call
