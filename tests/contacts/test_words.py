"""Names in two scripts and many spellings; headlines that say too much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contacts.words import looks_personal, normal_digits, normal_words, sound_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ђорђевић", "Đorđević"), ("Ђорђевић", "djordjevic"), ("Жарко", "Žarko"),
        ("Љиљана Његош", "Ljiljana Njegoš"), ("ШЋЕПАН", "šćepan"), ("Чедомир", "Čedomir"),
    ],
)  # fmt: skip
def test_both_scripts_have_one_form(one: str, other: str) -> None:
    assert normal_words(one) == normal_words(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Jovanović", "Yovanovich"), ("Đorđe", "Dorde"), ("Petar", "Peter"), ("Milica", "Militsa"),
        ("Aleksandar", "Alexander"), ("Stefan", "Stephan"), ("Mihajlo", "Mihailo"),
        ("Ćirić", "Cirich"), ("Nikola", "Nikkola"), ("Marija", "Maria"), ("Živojin", "Zivoin"),
    ],
)  # fmt: skip
def test_a_misspelt_name_sounds_the_same(one: str, other: str) -> None:
    assert [sound_of(w) for w in normal_words(one)] == [sound_of(w) for w in normal_words(other)]


@pytest.mark.parametrize(("one", "other"), [("Marko", "Darko"), ("Ana", "Iva"), ("Petar", "Pavle")])
def test_other_names_do_not(one: str, other: str) -> None:
    assert sound_of(normal_words(one)[0]) != sound_of(normal_words(other)[0])


def test_a_number_is_the_same_with_and_without_its_country() -> None:
    assert normal_digits("+381 64 123-45-67") == normal_digits("064/1234567")


@given(st.text(max_size=60))
def test_any_text_has_a_form(text: str) -> None:
    for word in normal_words(text):
        assert word.isascii()
        assert word.isalnum()
        assert sound_of(word)


@pytest.mark.parametrize(
    ("headline", "found"),
    [
        ("Girl hit by her father", []),
        ("nasilje u porodici, otac pije", []),
        ("Dečak od 12 godina", []),
        ("Zove Marko iz škole", ["a name"]),
        ("Otac: 064 123 45 67", ["a number"]),
        ("Otac u ulici kneza 12", ["an address"]),
    ],
)
def test_a_headline_that_says_too_much(headline: str, found: list[str]) -> None:
    assert looks_personal(headline) == found
