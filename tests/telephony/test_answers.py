"""What a webhook decided is kept as JSON, and read back as the same value or not at all."""

import json
from typing import get_args

import pytest

from app.telephony import answers
from app.telephony.answers import Answer, read_answer
from tests.support.answers import ANSWERS


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda a: a.kind)
def test_an_answer_is_read_as_it_was_written(answer: Answer) -> None:
    kept = json.loads(json.dumps(answer.stored()))
    assert read_answer(kept) == answer


def test_each_kind_has_a_code_of_its_own() -> None:
    codes = [answers.kind_of(kind) for kind in get_args(Answer)]
    assert len(set(codes)) == len(codes)
    # They are stored: a code that changes makes earlier answers unreadable.
    assert answers.kind_of(answers.Join) == "join"


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"kind": "shout"},
        {"kind": "menu", "attempt": "1"},
        {"kind": "menu", "attempts": 1},
        {"kind": "join"},
        {"kind": "join", "offer_id": "no uuid"},
        {"kind": "wait", "entry": 1, "step": 0, "said": {"key": "no_such_prompt"}},
        {"kind": "message", "n": 1, "reason": "closed"},
        {"kind": "duty_set", "state": "asleep"},
    ],
    ids=str,
)
def test_an_answer_that_is_not_known_is_not_read(kept: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        read_answer(kept)


def test_an_answer_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        answers.Menu().attempt = 2  # type: ignore[misc]
