"""In how many parts a text is billed. No database."""

import pytest

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
