"""In how many parts a text is billed, and what means STOP. No database."""

import pytest

from app.telephony.messaging.stopping import means_stop
from app.words.sms import parts_of


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        # Two places each: the last one is not cut in the middle.
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        # One letter outside the alphabet makes all of them twice as long.
        ("č" + "a" * 69, 1),
        ("č" + "a" * 70, 2),
        ("ш" * 134, 2),
        ("ш" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 67, 3),
    ],
)
def test_a_text_is_billed_in_parts(text: str, parts: int) -> None:
    assert parts_of(text) == parts


@pytest.mark.parametrize("text", ["STOP", " stop. ", "Odjava!", "СТОП", "إلغاء الاشتراك"])
def test_a_whole_text_that_says_stop_means_it(text: str) -> None:
    assert means_stop(text)


@pytest.mark.parametrize("text", ["", "help", "stop it he says", "ne mogu da stanem", "kraj"])
def test_a_child_who_tells_something_does_not_say_stop(text: str) -> None:
    assert not means_stop(text)
