"""A trainee practises, most often with a child who writes: single verbs, rolled back."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.calls.lines.line_rows import Line
from app.calls.log_kinds import Cause
from app.calls.models import Call
from app.calls.states import CallState, EndedBy
from app.chats import at_desk, messages, reading
from app.chats.models import Author
from app.errors import Invalid, NotFound
from app.jobs.names import Task
from app.routing import lost_counsellor, offers
from app.routing.models import Offer, PresenceState
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.training import practices, remarks, writing
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
from tests.support.verbs import a_counsellor, a_supervisor, logged, presence_of


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
    line = await work.session.get_one(Line, call.line_id)
    assert line.practice, "no statistic counts its calls"
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


async def test_only_the_trainee_and_the_supervisors_of_the_team_see_it(work: Work) -> None:
    ana, practice, call = await begun(work)
    ana.team = practice.team = "north"
    bora = await a_counsellor(work, "bora")
    bora.team = "north"
    vera = await a_supervisor(work, "vera", in_team="north")
    olga = await a_supervisor(work, "olga", in_team="south")
    # A supervisor of the team notes what was asked. A second click, or the trainee at the same
    # moment, notes nothing more.
    await do(work, vera, practice, CounsellorAct.LISTENED)
    with pytest.raises(practices.ActNoted):
        await practices.note_act(work, ana, practice.id, CounsellorAct.LISTENED, None, 1)
    assert len(await practices.acts_of(work, practice)) == 1
    for person in (ana, vera):
        assert await practices.of_call(work, person, call.id) is practice
    assert await practices.earlier(work, vera, of_team=True) == [practice]
    for person in (bora, olga):
        assert await practices.of_call(work, person, call.id) is None
        assert await practices.earlier(work, person, of_team=True) == []
        with pytest.raises(NotFound):
            await practices.note_act(work, person, practice.id, CounsellorAct.LISTENED, None, 2)
        with pytest.raises(NotFound):
            await practices.open_practice(work, person, practice.id)
        with pytest.raises(NotFound):
            await remarks.add_remark(work, person, practice.id, "x")
    await practices.open_practice(work, vera, practice.id)
    assert logged(work)[-1][0] == AuditLog.PRACTICE_READ
    await practices.end(work, call.id, None)
    await remarks.add_remark(work, vera, practice.id, "Well listened, Ana.")
    ((row, words),) = await remarks.remarks_of(work, practice)
    assert words == "Well listened, Ana."
    assert b"listened" not in row.words_sealed


def test_a_scenario_in_writing_is_the_same_child_with_other_words() -> None:
    found = [one for one in scenarios().values() if one.written is not None]
    assert len(found) >= 9
    for one in found:
        way = one.in_writing()
        assert way.facts == one.facts
        assert way.opens != one.opens
        assert way.silence is not None
        assert way.silence.hangs_up_after > 60, "who writes needs longer"
