"""A trainee practises with a child who writes: single verbs, rolled back."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.calls.log_kinds import Cause
from app.calls.models import Call
from app.calls.states import CallState, EndedBy
from app.chats import at_desk, messages, reading
from app.chats.models import Author
from app.errors import Invalid
from app.jobs.names import Task
from app.routing import lost_counsellor, offers
from app.routing.models import Offer, PresenceState
from app.staff.models import Staff
from app.training import practices, writing
from app.training.models import Practice
from app.training.scenarios import CounsellorAct, scenarios
from app.training.script import Ended
from app.work import Work
from tests.support.calls.conversations import (
    a_chat_line,
    a_key,
    forget,
    matched,
    open_offers,
    takes,
)
from tests.support.verbs import a_counsellor, presence_of


async def begun(work: Work, name: str = "school_bullying") -> tuple[Staff, Practice, Call]:
    """A practice in writing that its trainee has accepted; they are off duty otherwise."""
    await a_chat_line(work)
    ana = await a_counsellor(work, "ana")
    work.settings.practice_exchange = "http://127.0.0.1:1"
    practice = await practices.start(work, ana, name, "en", written=True)
    forget(work)
    (offer,) = await open_offers(work)
    assert offer.counsellor_id == ana.id
    call = await takes(work, offer)
    return ana, practice, call


async def words(work: Work, call: Call) -> list[str]:
    """Return what the child has written."""
    found = await reading.all_of(work, call.id)
    return [one.words or "" for one in found if one.author is Author.CHILD]


async def do(
    work: Work, staff: Staff, practice: Practice, act: CounsellorAct, topic: Any = None
) -> None:
    """Note an act, and let the child answer; the job runs twice."""
    number = len(await practices.acts_of(work, practice)) + 1
    await practices.note_act(work, staff, practice.id, act, topic, number)
    await work.session.flush()
    turns = [turn for turn, _ in (await practices.played(work, practice))[1]]
    for _ in range(2):
        await writing.answer(work, practice, turns)


def later(work: Work, seconds: float) -> None:
    work.now += timedelta(seconds=seconds)


async def test_a_child_writes_answers_and_leaves_after_its_last_words(work: Work) -> None:
    ana, practice, call = await begun(work)
    written = scenarios()["school_bullying"].written
    assert written is not None
    assert await words(work, call) == [one.words["en"] for one in written.opens]
    assert (await presence_of(work, ana)).state == PresenceState.WRITING
    (at,) = await at_desk.conversations(work, ana)
    assert (at.practice, at.away_since) == (True, None)
    await messages.say_as_staff(work, ana, call.id, text="Hi, I am here", client_key=a_key())
    for act, topic in (
        (CounsellorAct.LISTENED, None),
        (CounsellorAct.OPEN_QUESTION, "what"),
        (CounsellorAct.OPEN_QUESTION, "age"),
        (CounsellorAct.WISH, None),
        (CounsellorAct.PLAN, None),
        (CounsellorAct.GOODBYE, None),
    ):
        await do(work, ana, practice, act, topic)
    said = await words(work, call)
    assert len(said) == len(set(said)), "each once"
    assert said[-1] == "Okay. Thank you for listening. Bye!"
    assert (call.state, call.ended_by) == (CallState.ENDED, EndedBy.CALLER)
    await practices.end(work, call.id, None)
    assert practice.ended_how == Ended.WELL
    assert not [job for job in work.jobs if job.task == Task.RING_PRACTICE]


async def test_a_child_who_is_not_answered_asks_and_leaves(work: Work) -> None:
    ana, practice, call = await begun(work, "violence_now")
    scenario = practices.script_of(practice)
    before = len(await words(work, call))
    for seconds, more in ((20, 0), (15, 1), (5, 1), (30, 2)):
        later(work, seconds)
        for _ in range(2):
            assert not await writing.watch(work, practice, scenario)
        assert len(await words(work, call)) == before + more
    # A word of the counsellor, and the time begins again.
    await messages.say_as_staff(work, ana, call.id, text="I am here", client_key=a_key())
    later(work, 179)
    assert not await writing.watch(work, practice, scenario)
    later(work, 2)
    assert await writing.watch(work, practice, scenario)
    await practices.end(work, call.id, {"left": "silence"})
    assert (call.state, practice.ended_how) == (CallState.ENDED, Ended.SILENCE)
    assert practices.measured_of(practice) is None


async def test_it_is_offered_to_no_other_counsellor(work: Work) -> None:
    ana, practice, call = await begun(work)
    bora = await a_counsellor(work, "bora")
    bora.chats_at_once = 3
    await work.session.flush()
    offer = await work.session.scalar(select(Offer).where(Offer.call_id == call.id))
    assert offer is not None
    await lost_counsellor.give_back(work, call, offer, Cause.BROWSER_NOT_HEARD, PresenceState.AWAY)
    assert call.state == CallState.ENDED
    assert await matched(work) == []
    assert not [job for job in work.jobs if job.task in (Task.END_CALLER, Task.RETURN_CALLER)]
    await practices.end(work, call.id, None)
    assert practice.ended_how == Ended.LOST
    # One that is declined is over, too.
    later(work, 60)
    (await presence_of(work, ana)).state = PresenceState.AVAILABLE.value
    await work.session.flush()
    again = await practices.start(work, ana, "exam_fear", "sr", written=True)
    (offer,) = await open_offers(work)
    locked, offer = await offers.lock_offer(work, offer.id)
    await offers.decline_offer(work, locked, offer)
    assert locked.state == CallState.ENDED
    await practices.end(work, locked.id, None)
    assert again.ended_how == Ended.NOT_ANSWERED
    with pytest.raises(Invalid):
        await practices.start(work, ana, "silent_child", "sr", written=True)


def test_a_scenario_in_writing_is_the_same_child_with_other_words() -> None:
    found = [one for one in scenarios().values() if one.written is not None]
    assert len(found) >= 9
    for one in found:
        way = one.in_writing()
        assert way.facts == one.facts
        assert way.opens != one.opens
        assert way.silence is not None
        assert way.silence.hangs_up_after > 60, "who writes needs longer"
