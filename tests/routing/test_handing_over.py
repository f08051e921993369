"""A talk goes on to a colleague, to a person outside, or back to the front of the queue."""

from sqlalchemy import select

from app.calls.log_kinds import Cause
from app.calls.models import Leg
from app.calls.states import CallState, EndedBy
from app.jobs.names import Task
from app.routing import handing_over, releasing
from app.routing.models import OfferState, PresenceState
from app.routing.participants import inviting
from app.routing.participants.participants import (
    Participant,
    ParticipantPurpose,
    ParticipantState,
)
from app.routing.plan import RETURNED_PRIORITY
from app.routing.sound import set_hold
from app.telephony import script
from app.telephony.answers import Enqueue
from app.telephony.inbound import waiting
from app.telephony.inbound.deciding import scene_of
from app.telephony.steps import Say
from app.work import Work
from tests.support.calls.conversations import matched
from tests.support.calls.legs import deferred, takes_part, told
from tests.support.verbs import a_counsellor, a_talk, presence_of


async def test_the_colleague_has_the_call_when_the_counsellor_is_released(work: Work) -> None:
    ana, boris = await a_counsellor(work, "ana"), await a_counsellor(work, "boris")
    vera = await a_counsellor(work, "vera")
    call, offer = await a_talk(work, ana)
    await set_hold(work, call, True)
    colleague, other = await takes_part(work, offer, boris), await takes_part(work, offer, vera)
    other.purpose, other.state = ParticipantPurpose.TRANSFER, ParticipantState.RINGING
    new = await handing_over.hand_over(work, call, offer, colleague)
    assert (new.counsellor_id, new.state, new.room) == (boris.id, OfferState.CONNECTED, offer.room)
    assert (offer.released_at, call.held_at) == (work.now, None), "no one else can resume it"
    assert other.state == ParticipantState.FAILED, "who was asked as well is not rung on"
    assert (await presence_of(work, boris)).state == PresenceState.ON_CALL
    assert (await presence_of(work, ana)).state != PresenceState.ON_CALL


async def test_a_caller_handed_outside_is_still_ours_when_they_come_back(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    call, offer = await a_talk(work, ana)
    police = await takes_part(work, offer)
    await handing_over.hand_outside(work, call, offer, police)
    assert (call.state, call.handed_to) == (CallState.CONNECTED, police.id)
    assert (await presence_of(work, ana)).state != PresenceState.ON_CALL
    entries = call.entries
    await handing_over.come_back(work, call, Cause.OTHER_SIDE_LEFT)
    assert (call.state, call.handed_to, call.entries) == (CallState.QUEUED, None, entries + 1)
    assert call.priority == RETURNED_PRIORITY


async def test_a_caller_who_is_sent_back_is_first_and_no_one_stays_in_the_room(
    work: Work,
) -> None:
    call, offer = await a_talk(work, await a_counsellor(work, "ana"))
    call.danger = True
    police = await takes_part(work, offer)
    await handing_over.send_back(work, call, offer, Cause.TRANSFERRED_TO_SKILL)
    assert (call.state, call.priority) == (CallState.QUEUED, RETURNED_PRIORITY)
    assert (police.state, offer.released_at) == (ParticipantState.LEFT, work.now)
    assert deferred(work, Task.RETURN_CALLER) == 1
    assert deferred(work, Task.WATCH_DANGER) == 1, "a child in danger waits again"


async def test_when_the_caller_leaves_a_colleague_who_is_rung_is_rung_no_more(work: Work) -> None:
    ana, boris = await a_counsellor(work, "ana"), await a_counsellor(work, "boris")
    call, _ = await a_talk(work, ana)
    await inviting.transfer(work, ana, call, staff_id=boris.id)
    (colleague,) = (await work.session.scalars(select(Participant))).all()
    assert (await presence_of(work, boris)).state == PresenceState.BREAK
    await releasing.end_call(work, call, ended_by=EndedBy.CALLER)
    assert colleague.state == ParticipantState.FAILED
    theirs = select(Leg).where(Leg.participant_id == colleague.id)
    (leg,) = (await work.session.scalars(theirs)).all()
    assert leg.end_wanted
    assert str(leg.id) in [
        str(job.arguments["leg_id"]) for job in work.jobs if job.task == Task.END_LEG
    ]
    assert (await presence_of(work, boris)).state == PresenceState.AVAILABLE


async def test_a_caller_who_goes_to_a_skill_hears_so_and_is_offered_to_who_has_it(
    work: Work,
) -> None:
    ana = await a_counsellor(work, "ana")
    call, _ = await a_talk(work, ana)
    other, skilled = await a_counsellor(work, "other"), await a_counsellor(work, "skilled")
    skilled.skills = ["lgbt:2"]
    await inviting.to_skill(work, call, ["lgbt:2"])
    assert (await presence_of(work, ana)).state == PresenceState.WRAP_UP
    answer = await told(work, call, waiting.returned(call.entries))
    assert answer == Enqueue(entry=call.entries, returned=False, transferred=True)
    scene = await scene_of(work, call)
    assert scene is not None
    (said, _) = script.steps_for(answer, scene)
    assert isinstance(said, Say)
    assert said.text.startswith("Povezujemo te s drugim savetnikom")
    (offer,) = await matched(work)
    assert (offer.call_id, offer.counsellor_id) == (call.id, skilled.id)
    assert (await presence_of(work, other)).state == PresenceState.AVAILABLE
    assert call.returned == 0, "it was no dropped line"
