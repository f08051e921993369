"""A caller who cannot speak answers with a key, and is back with the counsellor afterwards."""

from app.calls.log_kinds import Cause
from app.calls.models import Call, CallQuestion
from app.calls.states import CallState, QuestionState
from app.jobs.names import Task
from app.routing import lost_counsellor
from app.routing.models import Offer
from app.routing.participants import questions
from app.telephony.answers import Answer, AskByKey, GoBack, QuestionOver
from app.telephony.inbound import asking_by_key
from app.work import Work
from tests.support.calls.legs import deferred, told
from tests.support.verbs import a_counsellor, a_talk, offered


async def a_question(work: Work) -> tuple[Call, Offer, CallQuestion]:
    """Let a counsellor ask whether the caller is safe."""
    ana = await a_counsellor(work, "ana")
    call, offer = await a_talk(work, ana)
    return call, offer, await questions.ask(work, ana, call, "safe")


async def pressed(work: Work, call: Call, row: CallQuestion, digits: str, n: int = 2) -> Answer:
    return await told(work, call, asking_by_key.question(row.id, digits, n))


async def test_a_key_is_the_answer_and_a_no_to_safety_is_danger(work: Work) -> None:
    call, offer, row = await a_question(work)
    back = QuestionOver(offer_id=offer.room, heard=True)
    assert await pressed(work, call, row, "2") == back
    assert (row.state, questions.answer_of(work, row)) == (QuestionState.ANSWERED, "no")
    assert (call.danger, deferred(work, Task.NOTE_DANGER)) == (True, 1)
    late = await pressed(work, call, row, "1")
    assert late == QuestionOver(offer_id=offer.room), "it is answered once"
    assert questions.answer_of(work, row) == "no"


async def test_no_key_and_a_wrong_one_are_asked_again_and_are_no_answer(work: Work) -> None:
    call, offer, row = await a_question(work)
    for n, digits in ((1, ""), (2, "7")):
        again = AskByKey(code="safe", question_id=row.id, n=n + 1)
        assert await pressed(work, call, row, digits, n) == again
        assert row.state == QuestionState.ASKED
    assert await pressed(work, call, row, "", 3) == QuestionOver(offer_id=offer.room)
    assert (row.state, questions.answer_of(work, row)) == (QuestionState.UNANSWERED, None)
    assert not call.danger


async def test_a_caller_whose_counsellor_was_lost_meanwhile_goes_back_to_the_queue(
    work: Work,
) -> None:
    call, offer, row = await a_question(work)
    await lost_counsellor.lose_counsellor(work, call, offer, Cause.LINE_LOST)
    await offered(work, call, await a_counsellor(work, "boris"))
    entries = call.entries
    assert await pressed(work, call, row, "1") == GoBack(entry=entries + 1)
    assert call.state == CallState.OFFERED, "no other counsellor has taken the call yet"
    assert row.state == QuestionState.ANSWERED, "what the child pressed is kept"
