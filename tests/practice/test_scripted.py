"""A scripted caller hears sound and silence only: when it speaks, asks, murmurs and hangs up."""

import pytest

from app.practice import scripted
from app.practice.scripted import TICK, Script, Scripted, ScriptedMouth, Stretches
from app.practice.speech import RATE
from tests.support.calls.tones import tone

LOUD, QUIET = 0.2, 0.0


@pytest.fixture(autouse=True)
def _a_second_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sentence lasts a second, also where there is no synthesiser."""
    monkeypatch.setattr(scripted, "spoken", lambda words, language: tone(440, 1.0))


def caller(**changes: float) -> ScriptedMouth:
    script = Script(
        language="en",
        opens=["Hello?"],
        unclear=["Mhm.", "Yes."],
        asks=["Are you there?"],
        asks_after=5,
        hangs_up_after=12,
    )
    for name, value in changes.items():
        setattr(script, name, value)
    return ScriptedMouth(Scripted(script=script))


def go_on(mouth: ScriptedMouth, seconds: float, level: float = QUIET) -> None:
    for _ in range(round(seconds / TICK)):
        mouth.next_frame()
        mouth.hear(level, in_talk=True)


def test_it_speaks_first_and_answers_when_the_counsellor_has_finished() -> None:
    mouth = caller()
    go_on(mouth, 2)
    assert mouth.caller.said == ["Hello?"]
    mouth.caller.wanted.append("They hit me.")
    go_on(mouth, 2, LOUD)
    assert mouth.caller.said == ["Hello?"], "it lets the counsellor finish"
    go_on(mouth, 1)
    assert mouth.caller.said == ["Hello?", "They hit me."]


def test_spoken_to_without_an_answer_in_hand_it_murmurs() -> None:
    mouth = caller(asks_after=60, hangs_up_after=90)
    go_on(mouth, 2)
    for _ in range(2):
        go_on(mouth, 1.5, LOUD)
        go_on(mouth, 6)
    assert mouth.caller.said == ["Hello?", "Mhm.", "Yes."]


def test_a_click_is_no_speech() -> None:
    mouth = caller(asks_after=60, hangs_up_after=90)
    go_on(mouth, 2)
    go_on(mouth, 0.1, LOUD)
    go_on(mouth, 6)
    assert mouth.caller.said == ["Hello?"]


def test_into_a_silence_it_asks_and_after_a_long_one_it_hangs_up() -> None:
    mouth = caller()
    go_on(mouth, 8)
    assert mouth.caller.said == ["Hello?", "Are you there?"]
    assert not mouth.finished
    go_on(mouth, 12)
    assert mouth.caller.left == "silence"


def test_it_leaves_only_when_all_is_said() -> None:
    mouth = caller()
    go_on(mouth, 2)
    mouth.caller.wanted.append("Thank you. Bye.")
    mouth.caller.leaves = True
    go_on(mouth, 1)
    assert mouth.caller.said[-1] == "Thank you. Bye."
    assert not mouth.finished, "it still speaks"
    go_on(mouth, 2)
    assert mouth.finished
    assert mouth.caller.left == "said"


def test_on_hold_it_hears_and_says_nothing() -> None:
    mouth = caller()
    for _ in range(round(20 / TICK)):
        mouth.hear(QUIET, in_talk=False)
    assert mouth.caller.said == []
    assert mouth.at == 0


def hold(mouth: ScriptedMouth, seconds: float) -> None:
    for _ in range(round(seconds / TICK)):
        mouth.next_frame()
        mouth.hear(QUIET, in_talk=False)


def test_a_sentence_that_a_hold_cuts_short_is_said_anew() -> None:
    mouth = caller(asks_after=60, hangs_up_after=90)
    mouth.caller.wanted.append("They hit me.")
    go_on(mouth, 1.3)
    assert mouth.speaks
    hold(mouth, 10)
    assert (mouth.caller.said, mouth.speaks) == ([], False)
    go_on(mouth, 5)
    assert mouth.caller.said == ["Hello?", "They hit me."]


def test_a_hold_is_time_of_the_talk_and_measured_apart() -> None:
    mouth = caller(asks_after=60, hangs_up_after=90)
    go_on(mouth, 3)
    hold(mouth, 10)
    go_on(mouth, 1)
    hold(mouth, 2)
    go_on(mouth, 1, LOUD)
    told = mouth.measured()
    assert told["seconds"] == pytest.approx(17, abs=0.1)
    assert told["held"] == [pytest.approx([3, 10], abs=0.1), pytest.approx([14, 2], abs=0.1)]
    assert told["counsellor"] == [pytest.approx([16, 1], abs=0.1)]


def test_turns_are_said_once_and_in_their_order() -> None:
    child = caller().caller
    first = {"number": 1, "lines": ["One."], "leaves": False}
    second = {"number": 2, "lines": ["Two."], "leaves": True}
    # The request with the first turn was lost; that of the second brings both.
    child.take_turns([first, second])
    child.take_turns([first])
    assert list(child.wanted) == ["One.", "Two."]
    assert child.leaves


def test_who_spoke_when_is_measured() -> None:
    mouth = caller(asks_after=60, hangs_up_after=90)
    go_on(mouth, 3)
    go_on(mouth, 2, LOUD)
    go_on(mouth, 2)
    told = mouth.measured()
    assert told["seconds"] == pytest.approx(7, abs=0.1)
    (child,) = told["child"]
    (counsellor,) = told["counsellor"]
    assert child == pytest.approx([0.8, 1.0], abs=0.1)
    assert counsellor == pytest.approx([3.0, 2.0], abs=0.1)


def test_a_short_pause_belongs_to_the_speech_around_it() -> None:
    found, at = Stretches(), 0.0
    for seconds, speaks in ((1.0, True), (0.3, False), (1.0, True), (1.0, False)):
        for _ in range(round(seconds / TICK)):
            found.step(at, speaks)
            at += TICK
    assert found.all() == [[0.0, pytest.approx(2.3, abs=0.05)]]


def test_the_last_frame_of_a_sentence_is_whole() -> None:
    mouth = caller()
    go_on(mouth, 0.9)
    frames = []
    while (frame := mouth.next_frame()) is not None:
        frames.append(len(frame))
    assert set(frames) == {int(RATE * TICK)}
