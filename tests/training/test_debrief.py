"""The debrief: what went well first, talk and silence, the form beside what was told."""

from app.definitions import library
from app.definitions.answers import Answers, Sheet
from app.training.debrief import compare, debrief, wanted_of
from app.training.measured import Measured, Stretch, read_measured
from app.training.scenarios import CounsellorAct, scenarios
from app.training.script import Ended, Move, play

BULLYING = scenarios()["school_bullying"]


def sheet() -> Sheet:
    known = library.load(None)
    return Sheet(known.form_for("contact"), known.categories, known.places, known.framework)


def test_talk_and_silence_are_counted_once_where_both_speak() -> None:
    heard = Measured(60.0, (Stretch(1, 4), Stretch(20, 10)), (Stretch(4, 6), Stretch(35, 5)))
    assert (heard.child_spoke, heard.counsellor_spoke) == (14, 11)
    assert heard.silent == 60 - 24
    assert heard.interruptions() == 1
    assert heard.silences() == [Stretch(10, 10), Stretch(30, 5), Stretch(40, 20)]


def test_a_hold_is_no_silence_of_the_trainee() -> None:
    heard = Measured(60.0, (Stretch(0, 20),), (Stretch(50, 10),), (Stretch(20, 28),))
    assert heard.silences() == []
    assert heard.silent == 2
    told = {"heard": True, "seconds": 9, "child": [], "counsellor": [], "held": [[3, 4]]}
    assert read_measured(told) == Measured(9.0, (), (), (Stretch(3, 4),))


def test_without_sound_nothing_was_measured() -> None:
    assert read_measured(None) is None
    assert read_measured({"heard": False}) is None
    told = {"heard": True, "seconds": 9, "child": [[1, 2]], "counsellor": []}
    assert read_measured(told) == Measured(9.0, (Stretch(1, 2),), ())


def test_the_debrief_lists_facts_that_were_told_and_not_told() -> None:
    _, turns = play(
        BULLYING, [Move(CounsellorAct.LISTENED), Move(CounsellorAct.OPEN_QUESTION, "who")]
    )
    found = debrief(BULLYING, turns, Ended.COUNSELLOR, None)
    assert [fact.id for fact in found.told] == ["who"]
    assert len(found.not_told) == len(BULLYING.facts) - 1
    assert found.well[0].values == {"number": 1}
    assert any("said back" in one.words for one in found.well)
    assert any("next step" in one.words for one in found.next_time)


def test_a_costly_word_is_named_and_a_good_one_comes_first() -> None:
    moves = [
        Move(CounsellorAct.EXPLAINED),
        Move(CounsellorAct.PROMISED_SECRECY),
        Move(CounsellorAct.CLOSED_QUESTION, "age"),
    ]
    _, turns = play(BULLYING, moves)
    found = debrief(BULLYING, turns, Ended.COUNSELLOR, None)
    assert any("explained" in one.words for one in found.well)
    words = [one.words for one in found.next_time]
    assert "promised" in words[0]
    assert any("yes or no" in one for one in words)


def test_a_counsellor_who_speaks_most_of_the_time_is_told_so() -> None:
    loud = Measured(60.0, (Stretch(0, 5),), (Stretch(6, 50),))
    quiet = Measured(60.0, (Stretch(0, 30),), (Stretch(31, 9),))
    heavy = debrief(BULLYING, [], Ended.COUNSELLOR, loud)
    light = debrief(BULLYING, [], Ended.COUNSELLOR, quiet)
    assert any("more than the child" in one.words for one in heavy.next_time)
    assert any("room to speak" in one.words for one in light.well)


def test_the_form_is_compared_answer_by_answer() -> None:
    talk, turns = play(
        BULLYING,
        [
            Move(CounsellorAct.OPEN_QUESTION, "age"),
            Move(CounsellorAct.LISTENED),
            Move(CounsellorAct.OPEN_QUESTION, "who"),
            Move(CounsellorAct.OPEN_QUESTION, "what"),
        ],
    )
    assert set(talk.told) == {"age", "who", "what"}
    told = debrief(BULLYING, turns, None, None).told
    answers: Answers = {
        "contact.kind": "child",
        "child.age": 13,
        "incident.who": ["friend", "stranger"],
        "contact.categories": ["V-BULLYING"],
    }
    rows = compare(sheet(), answers, wanted_of(BULLYING, told))
    held = {(one.path, one.wanted): one.held for one in rows}
    assert held["contact.kind", "child"] == "matching"
    assert held["child.age", "12"] == "different"
    assert held["child.gender", "boy"] == "missing"
    assert held["incident.who", "friend"] == "matching"
    assert held["contact.categories", "V-BULLYING"] == "matching"
    assert held["incident.account", ""] == "missing"
    assert ("incident.where", "school") not in held, "what was not told need not be written"


def test_of_several_children_one_is_compared() -> None:
    _, turns = play(BULLYING, [Move(CounsellorAct.OPEN_QUESTION, "age")])
    told = debrief(BULLYING, turns, None, None).told
    # The age of the sister is that of the child of the scenario, and the child's is wrong.
    answers: Answers = {
        "child.1.age": 14,
        "child.1.gender": "boy",
        "child.2.age": 12,
        "child.2.gender": "girl",
    }
    rows = compare(sheet(), answers, wanted_of(BULLYING, told))
    held = [one.held for one in rows if one.path in ("child.age", "child.gender")]
    assert sorted(held) == ["different", "matching"]
