"""What a scripted child answers to what the counsellor does."""

import pytest

from app.training.scenarios import CounsellorAct, common, scenarios
from app.training.script import Ended, Move, Reply, Talk, play

BULLYING, DISCLOSURE = scenarios()["school_bullying"], scenarios()["disclosure"]


def ask(topic: str, act: CounsellorAct = CounsellorAct.OPEN_QUESTION) -> Move:
    return Move(act, topic)


def test_nothing_of_a_later_phase_is_told_before_it_begins() -> None:
    talk = Talk.of(BULLYING)
    assert talk.take(ask("trusted")).reply is Reply.HELD_BACK


def test_an_open_question_is_answered_and_a_closed_one_in_a_word() -> None:
    talk, _ = play(BULLYING, [Move(CounsellorAct.LISTENED), Move(CounsellorAct.LISTENED)])
    closed = talk.take(ask("what", CounsellorAct.CLOSED_QUESTION))
    assert (closed.reply, "what" in talk.told) == (Reply.SHORT, False)
    told = talk.take(ask("what"))
    fact = BULLYING.fact("what")
    assert fact is not None
    assert (told.reply, told.says[0]) == (Reply.TOLD, fact.tells)
    again = talk.take(ask("what"))
    assert (again.reply, again.says) == (Reply.AGAIN, (common().again,))


def test_a_fact_needs_trust() -> None:
    talk, _ = play(DISCLOSURE, [Move(CounsellorAct.EXPLAINED)])
    assert talk.trust == 2
    assert talk.take(ask("whose")).reply is Reply.TOLD
    assert talk.take(ask("what")).reply is Reply.HELD_BACK, "asked too soon"
    assert talk.take(ask("what")).reply is Reply.TOLD
    fresh, _ = play(DISCLOSURE, [Move(CounsellorAct.EXPLAINED), Move(CounsellorAct.ADVISED)])
    assert fresh.take(ask("whose", CounsellorAct.CLOSED_QUESTION)).reply is Reply.HELD_BACK


def test_a_phase_begins_with_its_own_words() -> None:
    talk = Talk.of(BULLYING)
    turn = talk.take(Move(CounsellorAct.LISTENED))
    assert turn.began
    assert turn.phase == "story"
    assert turn.says[-1] == BULLYING.phase("story").says


@pytest.mark.parametrize("times", [1, 2, 3])
def test_the_same_act_earns_trust_twice_at_most(times: int) -> None:
    talk, _ = play(BULLYING, [Move(CounsellorAct.REASSURED)] * times)
    assert talk.trust == BULLYING.trust + min(times, 2)


def test_a_child_that_is_blamed_hangs_up() -> None:
    talk = Talk.of(DISCLOSURE)
    turn = talk.take(Move(CounsellorAct.BLAMED))
    assert turn.ends is Ended.CHILD_LEFT
    assert turn.says == (DISCLOSURE.hangs_up[0].says,)
    _, turns = play(DISCLOSURE, [Move(CounsellorAct.BLAMED), Move(CounsellorAct.REASSURED)])
    assert len(turns) == 1, "nothing is heard after it has left"


def test_lost_trust_ends_the_talk() -> None:
    talk, _ = play(BULLYING, [Move(CounsellorAct.BLAMED), Move(CounsellorAct.PROMISED_SECRECY)])
    assert talk.ended is Ended.CHILD_LEFT
