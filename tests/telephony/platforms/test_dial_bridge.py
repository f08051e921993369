"""Without conferences: what the end of a caller's dial says of the talk and of the counsellor."""

from datetime import timedelta

import pytest

from app.calls.models import Call
from app.calls.states import CallState, Direction, EndedBy
from app.outbox.states import Sending
from app.routing import offers
from app.routing.models import Offer, OfferState
from app.telephony.answers import Dial, GoBack, HangUp, Nothing
from app.telephony.inbound import waiting
from app.telephony.platforms import dial_bridge
from app.telephony.platforms.dialling import dialled_leg, note_pressed
from app.work import Work
from tests.support.calls.legs import told
from tests.support.verbs import a_counsellor, a_waiting_call, a_webhook, offered, with_settings

PHONE = "+381649990001"
TALKED = {"DialCallStatus": "completed", "DialCallDuration": "60"}
NO_ANSWER = {"DialCallStatus": "no-answer"}


async def a_dial(work: Work) -> tuple[Work, Call, Offer]:
    """Let the caller's leg dial a counsellor who has pressed 1, and who is busy for a minute."""
    work = with_settings(work, telephony_platform="somleng")
    call = await a_waiting_call(work)
    (offer,) = await offered(work, call, await a_counsellor(work, "ana", PHONE))
    await offers.accept_offer(work, call, offer)
    await note_pressed(work, offer, "CA2")
    work.now += timedelta(seconds=8)
    answer = await told(work, call, waiting.wait(1, 1))
    assert answer == Dial(offer_id=offer.id)
    work.now += timedelta(seconds=70)
    return work, call, offer


async def test_a_talk_that_was_not_seen_is_derived_from_its_end(work: Work) -> None:
    work, call, offer = await a_dial(work)
    heard = await told(work, call, dial_bridge.dialled(offer.id, a_webhook(**TALKED)))
    assert isinstance(heard, GoBack), "the caller is there, and is not hung up on"
    assert call.answered_at == work.now - timedelta(seconds=60)
    assert (call.state, offer.state, offer.released_at) == (
        CallState.QUEUED,
        OfferState.CONNECTED,
        work.now,
    )
    leg = await dialled_leg(work, offer.id)
    assert leg is not None
    assert (leg.status, leg.ended_at) == ("completed", work.now)


async def test_a_counsellor_who_does_not_answer_the_dial_has_missed_the_call(work: Work) -> None:
    work, call, offer = await a_dial(work)
    heard = await told(work, call, dial_bridge.dialled(offer.id, a_webhook(**NO_ANSWER)))
    assert isinstance(heard, GoBack)
    assert (call.state, call.answered_at) == (CallState.QUEUED, None)
    assert offer.state == OfferState.MISSED


async def test_a_caller_who_hung_up_in_the_talk_has_ended_it(work: Work) -> None:
    work, call, offer = await a_dial(work)
    gone = a_webhook(CallStatus="completed", **TALKED)
    assert await told(work, call, dial_bridge.dialled(offer.id, gone)) == Nothing()
    assert (call.state, call.ended_by) == (CallState.ENDED, EndedBy.CALLER)
    assert call.answered_at == work.now - timedelta(seconds=60)


@pytest.mark.parametrize(
    ("result", "ended_by"), [(TALKED, EndedBy.CALLER), (NO_ANSWER, EndedBy.PROVIDER)]
)
async def test_a_call_back_is_over_with_the_dial_from_the_counsellors_leg(
    work: Work, result: dict[str, str], ended_by: EndedBy
) -> None:
    work, call, offer = await a_dial(work)
    # Nothing is known of the leg to the caller but the end of its dial.
    call.direction, call.sending = Direction.OUTBOUND.value, Sending.SENDING.value
    call.provider_sid = None
    for _ in range(2):
        answer, _ = await dial_bridge.callback_dialled(work, offer.id, a_webhook(**result))
        assert answer == HangUp()
    assert (call.state, call.ended_by) == (CallState.ENDED, ended_by)
    assert (call.answered_at is not None) == (result is TALKED)
