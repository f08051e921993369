"""How a caller's leg ended: told once or twice, late, or of a ring that never reached us."""

import pytest
from sqlalchemy import select

from app.calls.models import Call
from app.calls.states import CallState, EndedBy, Outcome
from app.routing.models import OfferState, PresenceState
from app.telephony.inbound import endings
from app.work import Work
from tests.support.verbs import (
    a_counsellor,
    a_line,
    a_waiting_call,
    a_webhook,
    offered,
    presence_of,
    rings,
)


async def test_a_ring_that_never_reached_us_is_a_record(work: Work) -> None:
    await a_line(work)
    for _ in range(2):
        await endings.number_status(work, a_webhook(CallStatus="no-answer"))
        await work.session.flush()
    call = (await work.session.scalars(select(Call))).one()
    assert (call.state, call.outcome) == (CallState.ENDED, Outcome.UNREACHABLE)
    assert (call.greeted, call.line_id is not None) == (False, True)


@pytest.mark.parametrize(
    ("status", "ended_by"),
    [("completed", EndedBy.CALLER), ("failed", EndedBy.PROVIDER), ("in-progress", None)],
)
async def test_the_end_of_the_leg_frees_the_counsellor_who_is_rung(
    work: Work, status: str, ended_by: EndedBy | None
) -> None:
    ana = await a_counsellor(work, "ana")
    call = await a_waiting_call(work)
    (offer,) = await offered(work, call, ana)
    await endings.number_status(work, a_webhook(CallStatus=status))
    assert call.ended_by == ended_by
    over = ended_by is not None
    assert call.state == (CallState.ENDED if over else CallState.OFFERED)
    assert offer.state == (OfferState.WITHDRAWN if over else OfferState.OPEN)
    state = PresenceState.AVAILABLE if over else PresenceState.OFFERED
    assert (await presence_of(work, ana)).state == state


async def test_the_end_of_one_caller_does_not_end_another(work: Work) -> None:
    call = await a_waiting_call(work)
    other, _ = await rings(work, "CA2", From="+381641110002")
    await endings.number_status(work, a_webhook("CA2", CallStatus="completed"))
    assert (call.state, other.state) == (CallState.QUEUED, CallState.ENDED)
