"""When the counsellor's leg leaves a talk: a colleague, those outside, the end, or another ring."""

from datetime import timedelta

import pytest

from app.calls.log_kinds import Cause
from app.calls.states import CallState, Direction, EndedBy
from app.jobs.names import Task
from app.outbox.states import Sending
from app.routing import lost_counsellor, offers
from app.routing.models import OfferState, PresenceState
from app.routing.participants.participants import Mode, ParticipantState
from app.routing.plan import RETURNED_PRIORITY
from app.work import Work
from tests.support.calls.legs import deferred, takes_part
from tests.support.verbs import a_counsellor, a_talk, another_talk, presence_of

LEFT = Cause.LEFT_CONFERENCE


async def test_a_colleague_in_the_talk_takes_it_over_and_police_stay_in_it(work: Work) -> None:
    ana, boris = await a_counsellor(work, "ana"), await a_counsellor(work, "boris")
    call, offer = await a_talk(work, ana)
    await takes_part(work, offer)
    await takes_part(work, offer, boris)
    call.held_at = work.now
    await lost_counsellor.counsellor_left(work, call, offer, LEFT, died=True)
    theirs = await offers.live_offer_of_call(work, call.id)
    assert theirs is not None
    assert (theirs.counsellor_id, theirs.state) == (boris.id, OfferState.CONNECTED)
    assert (call.state, call.returned) == (CallState.CONNECTED, 0)
    assert call.held_at is None, "the child is not left on hold"
    assert (await presence_of(work, boris)).state == PresenceState.ON_CALL
    assert (await presence_of(work, ana)).state != PresenceState.ON_CALL


async def test_no_colleague_takes_it_over_who_only_listens_or_has_a_call(work: Work) -> None:
    ana, boris = await a_counsellor(work, "ana"), await a_counsellor(work, "boris")
    vera = await a_counsellor(work, "vera")
    call, offer = await a_talk(work, ana)
    await another_talk(work, boris)
    await takes_part(work, offer, boris)
    await takes_part(work, offer, vera, mode=Mode.LISTEN)
    await lost_counsellor.counsellor_left(work, call, offer, LEFT, died=False)
    assert call.state == CallState.ENDED


async def test_police_in_the_talk_stay_with_the_child_until_a_counsellor_joins(work: Work) -> None:
    call, offer = await a_talk(work, await a_counsellor(work, "ana"))
    police = await takes_part(work, offer)
    await lost_counsellor.counsellor_left(work, call, offer, LEFT, died=False)
    assert (call.state, call.kept_room_id) == (CallState.QUEUED, offer.room)
    assert call.priority == RETURNED_PRIORITY
    assert police.state == ParticipantState.IN
    assert deferred(work, Task.RETURN_CALLER) == 0, "the child stays in the conference"
    await lost_counsellor.leave_empty_room(work, call)
    assert call.kept_room_id == offer.room, "the police are there"
    police.state = ParticipantState.LEFT.value
    await lost_counsellor.leave_empty_room(work, call)
    assert call.kept_room_id is None
    assert deferred(work, Task.RETURN_CALLER) == 1


async def test_a_counsellor_who_hangs_up_alone_with_the_child_ends_the_talk(work: Work) -> None:
    call, offer = await a_talk(work, await a_counsellor(work, "ana"))
    await lost_counsellor.counsellor_left(work, call, offer, LEFT, died=False)
    assert (call.state, call.ended_by) == (CallState.ENDED, EndedBy.COUNSELLOR)
    assert deferred(work, Task.END_CALLER) == 1


async def test_a_counsellor_whose_line_broke_is_rung_before_the_child_waits_again(
    work: Work,
) -> None:
    ana = await a_counsellor(work, "ana")
    call, offer = await a_talk(work, ana)
    rung = deferred(work, Task.JOIN_COUNSELLOR)
    for _ in range(2):
        await lost_counsellor.counsellor_left(work, call, offer, LEFT, died=True)
    assert (call.state, offer.lost_at) == (CallState.CONNECTED, work.now)
    assert deferred(work, Task.JOIN_COUNSELLOR) == rung + 1, "once"
    work.now += lost_counsellor.grace_of(work.settings, ana, offer) - timedelta(seconds=1)
    await lost_counsellor.give_up_waiting(work, call, offer)
    assert call.state == CallState.CONNECTED
    work.now += timedelta(seconds=1)
    await lost_counsellor.give_up_waiting(work, call, offer)
    assert (call.state, call.priority) == (CallState.QUEUED, RETURNED_PRIORITY)
    assert offer.released_at == work.now
    assert deferred(work, Task.RETURN_CALLER) == 1


async def test_a_counsellor_who_is_back_in_time_goes_on_with_the_talk(work: Work) -> None:
    call, offer = await a_talk(work, await a_counsellor(work, "ana"))
    await lost_counsellor.counsellor_left(work, call, offer, LEFT, died=True)
    await lost_counsellor.counsellor_is_back(work, call, offer)
    work.now += timedelta(hours=1)
    await lost_counsellor.give_up_waiting(work, call, offer)
    assert (call.state, offer.lost_at, offer.released_at) == (CallState.CONNECTED, None, None)


@pytest.mark.parametrize(("seconds", "state"), [(14, CallState.ENDED), (15, CallState.CONNECTED)])
async def test_a_household_that_has_just_answered_hears_nothing_of_a_broken_line(
    work: Work, seconds: int, state: CallState
) -> None:
    call, offer = await a_talk(work, await a_counsellor(work, "ana"))
    call.direction, call.sending = Direction.OUTBOUND.value, Sending.SENT.value
    work.now += timedelta(seconds=seconds)
    await lost_counsellor.counsellor_left(work, call, offer, LEFT, died=True)
    assert call.state == state
