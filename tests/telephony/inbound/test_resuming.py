"""Where a caller goes on after the provider got no document from us."""

from app.calls.states import CallState
from app.routing import offers
from app.telephony.inbound import arriving, resuming
from app.telephony.provider.urls import call_path
from app.work import Work
from tests.support.calls.legs import told
from tests.support.verbs import (
    a_counsellor,
    a_line,
    a_talk,
    a_waiting_call,
    a_webhook,
    offered,
    rings,
)


async def test_without_a_record_or_a_language_a_call_starts_from_the_beginning(work: Work) -> None:
    await a_line(work)
    assert await resuming.resume(work, a_webhook()) is None
    call, _ = await rings(work)
    assert await resuming.resume(work, a_webhook()) is None
    await told(work, call, arriving.menu("2", 1, asked_again=False))
    assert (call.state, call.language) == (CallState.GREETING, "en"), "no counsellor is there"
    path = await resuming.resume(work, a_webhook())
    assert path == call_path(call.id, "returned", n=call.entries)


async def test_a_caller_who_waits_goes_back_to_the_waiting_room(work: Work) -> None:
    call = await a_waiting_call(work)
    await offered(work, call, await a_counsellor(work, "ana"))
    work.now = work.now.replace(minute=7)
    path = await resuming.resume(work, a_webhook())
    assert path == call_path(call.id, "returned", n=2)
    assert (call.state, call.heard_at) == (CallState.OFFERED, work.now)


async def test_a_caller_on_the_way_into_a_talk_still_gets_there(work: Work) -> None:
    call = await a_waiting_call(work)
    (offer,) = await offered(work, call, await a_counsellor(work, "ana"))
    await offers.accept_offer(work, call, offer)
    path = await resuming.resume(work, a_webhook())
    assert path == call_path(call.id, "returned", n=call.entries), "not fetched yet"
    offer.move_wanted_at = work.now
    path = await resuming.resume(work, a_webhook())
    assert path == call_path(call.id, "bridge", o=offer.id, n=call.entries)


async def test_a_caller_who_was_put_out_of_a_talk_is_not_sent_to_another_one(work: Work) -> None:
    call, offer = await a_talk(work, await a_counsellor(work, "ana"))
    offer.move_wanted_at = offer.released_at = work.now
    await work.session.flush()
    path = await resuming.resume(work, a_webhook())
    assert path == call_path(call.id, "returned", n=call.entries)
