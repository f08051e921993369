"""The phone of a call-back: it is answered to a counsellor, or hung up without a word."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.calls.models import Call
from app.calls.states import CallState, EndedBy
from app.jobs.names import Task
from app.outbox.states import Sending
from app.routing import offers
from app.routing.callbacks import callback_attempts, callbacks
from app.routing.callbacks.callback_rows import Callback
from app.routing.callbacks.choices import Who
from app.telephony.counsellor import callback_leg
from app.work import Work
from tests.support.calls.legs import deferred
from tests.support.verbs import a_counsellor, a_waiting_call, a_webhook, offered

RUNG = "CA9"


async def a_ring(work: Work, *, accepted: bool = True) -> Call:
    """Let the phone of a call-back ring that a counsellor has accepted, or is still offered."""
    ana = await a_counsellor(work, "ana")
    asked = await a_waiting_call(work)
    window = (work.now, work.now + timedelta(hours=1))
    row = await callbacks.agree(work, asked, Who.CALLER, window, safe=True)
    await callback_attempts.queue_due(work)
    call = (await work.session.scalars(select(Call).where(Call.callback_id == row.id))).one()
    (offer,) = await offered(work, call, ana)
    if accepted:
        await offers.accept_offer(work, call, offer)
    call.sending, call.rung_at = Sending.SENDING.value, work.now
    await work.session.flush()
    return call


async def told(work: Work, call: Call, status: str, sid: str = RUNG) -> None:
    await callback_leg.leg_status(work, call.id, a_webhook(sid, CallStatus=status))
    await work.session.flush()


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_phone_that_is_answered_to_no_counsellor_is_hung_up(
    work: Work, *, accepted: bool
) -> None:
    call = await a_ring(work, accepted=accepted)
    await told(work, call, "in-progress")
    assert call.provider_sid == RUNG
    assert call.state == (CallState.OFFERED if accepted else CallState.ENDED)
    assert deferred(work, Task.END_CALLER) == (0 if accepted else 1)


@pytest.mark.parametrize(
    ("status", "ended_by"), [("completed", EndedBy.CALLER), ("no-answer", EndedBy.PROVIDER)]
)
async def test_the_end_of_the_leg_is_an_attempt_and_is_counted_once(
    work: Work, status: str, ended_by: EndedBy
) -> None:
    call = await a_ring(work)
    await told(work, call, "ringing")
    for _ in range(2):
        await told(work, call, status)
    assert (call.state, call.ended_by) == (CallState.ENDED, ended_by)
    assert deferred(work, Task.CALLBACK_OVER) == 1


async def test_a_leg_that_is_not_the_callers_ends_nothing(work: Work) -> None:
    call = await a_ring(work)
    await told(work, call, "ringing")
    await told(work, call, "completed", "CA8")
    assert (call.state, call.provider_sid) == (CallState.OFFERED, RUNG)


@pytest.mark.parametrize("machine", [True, False])
async def test_nothing_is_said_to_a_machine(work: Work, *, machine: bool) -> None:
    call = await a_ring(work)
    await told(work, call, "in-progress")
    heard = a_webhook(RUNG, AnsweredBy="machine_start" if machine else "human")
    await callback_leg.answered_by(work, call.id, heard)
    row = await work.session.get_one(Callback, call.callback_id)
    assert (row.machine, call.state) == (
        machine,
        CallState.ENDED if machine else CallState.OFFERED,
    )
    assert deferred(work, Task.END_CALLER) == machine
