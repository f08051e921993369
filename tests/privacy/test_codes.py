"""Secrets that people read aloud and paste: enough random bits, and read as people type them."""

import math

import pytest

from app.privacy import codes

pytestmark = pytest.mark.whole


def test_a_code_has_at_least_128_random_bits_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert codes.GROUPS * codes.IN_A_GROUP * math.log2(len(set(codes.LETTERS))) >= 128
    made = [codes.new_code() for _ in range(300)]
    assert len(set(made)) == 300
    assert {len(codes.plain(one)) for one in made} == {codes.GROUPS * codes.IN_A_GROUP}
    # Every letter comes at every place: none of them is fixed.
    for place in range(codes.GROUPS * codes.IN_A_GROUP):
        assert len({codes.plain(one)[place] for one in made}) > len(codes.LETTERS) * 2 // 3
    asked: list[int] = []

    def first(letters: str) -> str:
        asked.append(len(letters))
        return letters[0]

    monkeypatch.setattr("app.privacy.codes.secrets.choice", first)
    assert set(codes.plain(codes.new_code())) == {codes.LETTERS[0]}
    assert asked == [len(codes.LETTERS)] * codes.GROUPS * codes.IN_A_GROUP


@pytest.mark.parametrize(
    "typed",
    [
        "abcde-fghjk",
        "ABCDE-FGHJK",
        " abcde fghjk ",
        "AbCdE\u2013fghjk",
        "abcde\u2011fghjk",
        "abcdefghjk\n",
    ],
)
def test_a_code_is_read_as_people_type_it(typed: str) -> None:
    assert codes.plain(typed) == "abcdefghjk"
