"""The way of a caller into a talk, and out of it again."""

from app.calls.log_kinds import Cause
from app.calls.states import CallState, EndedBy
from app.routing import offers
from app.routing.plan import RETURNED_PRIORITY
from app.telephony.answers import Enqueue, GoBack, Goodbye, Hold, Join, Nothing, Silence
from app.telephony.inbound import talking
from app.work import Work
from tests.support.calls.legs import told
from tests.support.verbs import a_counsellor, a_talk, a_waiting_call, offered


async def test_a_caller_joins_the_counsellor_who_accepted_and_no_other(work: Work) -> None:
    call = await a_waiting_call(work)
    (offer,) = await offered(work, call, await a_counsellor(work, "ana"))
    assert await told(work, call, talking.bridge(offer.id)) == Enqueue(entry=2, returned=True)
    await offers.accept_offer(work, call, offer)
    assert await told(work, call, talking.bridge(offer.id)) == Join(offer_id=offer.room)
    await offers.miss_offer(work, call, offer, Cause.NOT_CONNECTED_IN_TIME)
    entries = call.entries
    answer = await told(work, call, talking.bridge(offer.id))
    assert answer == Enqueue(entry=entries + 1, returned=True)
    assert call.state == CallState.QUEUED


async def test_only_the_caller_hears_that_the_talk_is_held_or_the_line_lost(work: Work) -> None:
    call, offer = await a_talk(work, await a_counsellor(work, "ana"))
    sid = call.provider_sid or ""
    assert await talking.held(work, call, sid) == Silence()
    call.held_at = work.now
    assert await talking.held(work, call, sid) == Hold()
    offer.lost_at = work.now
    assert await talking.held(work, call, sid) == Hold(lost=True)
    assert await talking.held(work, call, "CA_counsellor") == Silence()


async def test_a_caller_who_is_there_after_a_talk_is_first_in_the_queue(work: Work) -> None:
    call, offer = await a_talk(work, await a_counsellor(work, "ana"))
    entries = call.entries
    answer = await told(work, call, talking.left_talk(offer.id, gone=False))
    assert answer == GoBack(entry=entries + 1)
    assert (call.state, call.priority) == (CallState.QUEUED, RETURNED_PRIORITY)
    assert offer.released_at == work.now


async def test_a_caller_who_leaves_a_talk_by_hanging_up_has_ended_it(work: Work) -> None:
    call, offer = await a_talk(work, await a_counsellor(work, "ana"))
    answer = await told(work, call, talking.left_talk(offer.id, gone=True))
    assert (answer, call.state, call.ended_by) == (Nothing(), CallState.ENDED, EndedBy.CALLER)
    again = await told(work, call, talking.left_talk(offer.id, gone=False))
    assert (again, call.state) == (Goodbye(), CallState.ENDED), "and is not queued any more"
