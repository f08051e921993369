"""The second phone of a colleague who is asked into a talk.

It rings within the time of the same request, if the browser has not answered for a part of it, or
at once when the page is gone; a colleague who declines in the page is not rung again. The browser
rings on, and whichever is first is in the talk; the leg of the other is ended. The rules of an
offer are in `routing/second_phone.py`.
"""

from uuid import UUID

from sqlalchemy import select

from app.calls import record
from app.calls.log_kinds import AnyCause, CallLog, Cause
from app.calls.models import Call, Leg
from app.calls.states import CallState, LegStatus, read_leg_status
from app.jobs.names import Task
from app.routing import offers, second_phone
from app.routing.participants.participants import Participant, ParticipantState
from app.work import Work


async def ring(work: Work, call: Call, participant: Participant, cause: AnyCause) -> bool:
    """Ring the second phone as well as the browser. Call and participant are locked.

    Return whether it rings now. It does not if there is none, or if it has rung already.
    """
    asked = participant.second_due_at is not None and participant.second_at is None
    waits = participant.state == ParticipantState.RINGING
    if not asked or not waits or CallState(call.state) is not CallState.CONNECTED:
        return False
    assert participant.staff_id is not None
    if not await second_phone.can_ring(work, participant.staff_id):
        return False
    participant.second_at = work.now
    offers.want_leg(work, participant, Task.RING_PARTICIPANT, second=True)
    await record.record(
        work,
        call,
        CallLog.TELEPHONE_RUNG_INSTEAD,
        participant_id=str(participant.id),
        cause=cause,
    )
    return True


async def ring_if_due(work: Work, call: Call, participant: Participant) -> None:
    """Ring the phone when the browser has rung alone for long enough."""
    due = participant.second_due_at
    if due is not None and due <= work.now:
        rings = await ring(work, call, participant, Cause.NOT_ANSWERED_IN_BROWSER)
        if not rings and participant.second_at is None:
            # Nothing will change that: it is not tried again each second.
            participant.second_due_at = None


async def page_gone(work: Work, staff_id: UUID) -> None:
    """Ring the phone at once: the page in which a colleague is rung cannot be a telephone any
    more. The ring of a page that is loaded again is lost."""
    found = (
        await work.session.execute(
            select(Participant.id, Participant.call_id).where(
                Participant.staff_id == staff_id,
                Participant.state == ParticipantState.RINGING,
                Participant.second_due_at.is_not(None),
            )
        )
    ).one_or_none()
    if found is None:
        return
    call = await record.lock_call(work, found.call_id)
    participant = await work.session.get_one(
        Participant, found.id, with_for_update=True, populate_existing=True
    )
    await ring(work, call, participant, Cause.NOT_ANSWERED_IN_BROWSER)


async def is_called_off(work: Work, participant: Participant) -> bool:
    """Return whether a colleague's phone rings though they are in by their browser."""
    staff_id = participant.staff_id
    return staff_id is not None and await second_phone.is_called_off(work, staff_id, participant)


async def taken_at_telephone(work: Work, participant: Participant) -> None:
    """End the ring of the browser: the key was pressed at the phone first."""
    if participant.second_at is not None:
        await _end_legs(work, participant, second=False)


async def taken_in_browser(work: Work, participant: Participant) -> None:
    """Stop the ring of the phone: the browser has answered first."""
    if participant.second_at is not None and await _rings(work, participant, second=False):
        participant.second_at = None
        await _end_legs(work, participant, second=True)


async def leg_over(
    work: Work, call: Call, participant: Participant, leg: Leg, cause: AnyCause
) -> bool:
    """Handle the end of a colleague's leg for which there is another way. Return whether they are
    still rung, or in the talk, by that one."""
    if leg.second:
        return participant.second_at is None or await browser_rings_on(work, participant)
    if participant.second_at is not None:
        return await _rings(work, participant, second=True)
    # A colleague who declined in the page is not rung at their phone for the same request.
    declined = read_leg_status(leg.status) is LegStatus.BUSY
    return not declined and not leg.end_wanted and await ring(work, call, participant, cause)


async def browser_rings_on(work: Work, participant: Participant) -> bool:
    """Return whether a colleague who did not answer the phone is still rung in the browser."""
    rings = participant.second_at is not None and participant.state == ParticipantState.RINGING
    return rings and await _rings(work, participant, second=False)


async def _rings(work: Work, participant: Participant, *, second: bool) -> bool:
    """Return whether a leg to the phone (`second`) or to the browser is up and wanted."""
    found = await work.session.scalar(
        select(Leg.id)
        .where(
            Leg.participant_id == participant.id,
            Leg.second == second,
            Leg.ended_at.is_(None),
            ~Leg.end_wanted,
        )
        .limit(1)
    )
    return found is not None


async def _end_legs(work: Work, participant: Participant, *, second: bool) -> None:
    legs = await work.session.scalars(
        select(Leg).where(
            Leg.participant_id == participant.id, Leg.second == second, Leg.ended_at.is_(None)
        )
    )
    for leg in legs.all():
        leg.end_wanted = True
        work.defer(Task.END_LEG, leg_id=str(leg.id))
