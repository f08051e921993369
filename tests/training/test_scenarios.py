"""The scenarios: complete in every language, playable to a good end, and refused with a line."""

import re

import pytest

from app.definitions import library
from app.definitions.datafile import BadDefinition
from app.training.scenarios import (
    FOLDER,
    CounsellorAct,
    FormAnswer,
    Scenario,
    languages,
    read_scenario,
    scenarios,
    text_of,
)
from app.training.script import Ended, Move, play

ALL = list(scenarios().values())


@pytest.fixture(params=ALL, ids=lambda one: one.scenario)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    found: Scenario = request.param
    return found


def test_there_are_a_dozen_of_three_levels() -> None:
    assert len(ALL) == 12
    assert {one.level for one in ALL} == {"1", "2", "3"}
    wanted = {"silent_child", "school_bullying", "running_away", "worried_teacher", "prank"}
    assert wanted | {"disclosure"} <= set(scenarios())


def kindly(scenario: Scenario) -> list[Move]:
    """A counsellor who explains, listens, asks open questions and says goodbye at the end."""
    moves = [
        Move(act)
        for act in (
            CounsellorAct.EXPLAINED,
            CounsellorAct.REASSURED,
            CounsellorAct.LISTENED,
            CounsellorAct.SAFETY,
        )
    ]
    for _ in range(3):
        moves += [Move(CounsellorAct.OPEN_QUESTION, fact.id) for fact in scenario.facts]
        moves += [
            Move(act)
            for act in (
                CounsellorAct.LISTENED,
                CounsellorAct.REASSURED,
                CounsellorAct.WISH,
                CounsellorAct.PLAN,
            )
        ]
    return [*moves, Move(CounsellorAct.GOODBYE)]


def test_a_kind_counsellor_hears_everything_and_ends_well(scenario: Scenario) -> None:
    talk, turns = play(scenario, kindly(scenario))
    assert set(talk.told) == {fact.id for fact in scenario.facts}
    assert talk.ended is Ended.WELL
    assert turns[-1].says == (scenario.ending.says,)
    assert turns[-1].phase == scenario.phases[-1].id


def test_a_goodbye_at_once_is_early(scenario: Scenario) -> None:
    talk, _ = play(scenario, [Move(CounsellorAct.GOODBYE)])
    assert talk.ended is Ended.EARLY


def test_the_form_of_the_shipped_definitions_can_hold_it(scenario: Scenario) -> None:
    known = library.load(None)
    form, categories = known.form_for("contact"), set(known.categories.choices())

    def holds(answer: FormAnswer) -> bool:
        for _, field in form.meaning(answer.means):
            codes = {option.code for option in form.options_of(field)}
            if field.type == "categories":
                codes = categories
            elif field.type == "yes_no":
                codes = {"yes", "no"}
            elif field.type == "whole_number" and answer.is_ is not None:
                codes = {answer.is_} if answer.is_.isdigit() else set()
            if answer.is_ is None or answer.is_ in codes:
                return True
        return False

    answers = [*scenario.form, *(answer for fact in scenario.facts for answer in fact.form)]
    assert [answer for answer in answers if not holds(answer)] == []


GOOD = (FOLDER / "school_bullying.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("told: [who, what]", "told: [who, waht]", "there is no fact 'waht'"),
        ("phase: way_on", "phase: way_of", "there is no phase 'way_of'"),
        ("  - id: where\n", "  - id: who\n", "'who' appears here twice"),
        ("level: 1", "level: 4", "must be one of: '1', '2', '3'"),
        ("means: setting", "means: seting", "must be one of: 'kind'"),
        (
            'asked: any\n    tells: "At school',
            'asked: any\n    short: a\n    tells: "At school',
            "needs `asked: open`",
        ),
        ("{trust_below: -1, ", "{act: blamed, trust_below: -1, ", "give either"),
    ],
)
def test_a_mistake_is_refused_with_file_and_line(before: str, after: str, words: str) -> None:
    assert before in GOOD
    text = GOOD.replace(before, after, 1)
    with pytest.raises(BadDefinition, match=words) as refused:
        read_scenario(text, "school_bullying.yaml")
    name, line = re.match(r"(.*?):(\d+):", str(refused.value)).groups()  # type: ignore[union-attr]
    at = GOOD[: GOOD.index(before)].count("\n") + 1
    assert name == "school_bullying.yaml"
    assert at <= int(line) <= at + 2


def test_a_sentence_needs_its_english() -> None:
    text = GOOD.replace("title: Bullied at school", "title: {sr: U školi}", 1)
    assert text != GOOD
    with pytest.raises(BadDefinition):
        read_scenario(text, "one.yaml")


def test_what_is_kept_with_a_practice_is_the_scenario_in_every_language(scenario: Scenario) -> None:
    assert languages()[0] == "en"
    assert "sr" in languages()
    kept = read_scenario(text_of(scenario.scenario), "kept")
    assert kept == scenario
    assert set(kept.title.words) == set(languages())
