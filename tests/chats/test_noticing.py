"""What is noticed in what a child writes: personal data of others, and words of danger."""

import pytest

from app import words
from app.chats.noticing import Personal, danger_in, parts_of, personal_in
from app.words.chats import chat_words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("zovi me na 064 123 4567", [("064 123 4567", Personal.PHONE)]),
        ("broj je +43 660 1234567.", [("+43 660 1234567", Personal.PHONE)]),
        ("pišite na mina.b+x@posta.example", [("mina.b+x@posta.example", Personal.MAIL)]),
        ("na instagramu sam @mina_b", [("@mina_b", Personal.HANDLE)]),
        ("njegov JMBG je 0101990710006", [("0101990710006", Personal.ID)]),
        ("zovite 192 ili 0800 123 456, imam 14 godina i 25 minuta", []),
        ("naš broj +381800123456", []),
        ("", []),
    ],
)
def test_personal_data_is_found(text: str, found: list[tuple[str, Personal]]) -> None:
    own = ("+381800123456",)
    assert [(one.text, one.kind) for one in personal_in(text, "RS", own)] == found
    assert "".join(one.text for one in parts_of(text, "RS", own)) == text


def test_a_number_can_be_dialled() -> None:
    (part,) = personal_in("064 123 4567", "RS")
    assert part.number == "+381641234567"


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("Necu da zivim vise", "sr", "Necu da zivim"),
        ("НЕЋУ ДА   ЖИВИМ!", "sr", "НЕЋУ ДА   ЖИВИМ"),
        ("u školi je dobro, učim", "sr", None),
        ("he says he will rape me", "en", "rape"),
        ("grape juice is fine", "en", None),
        ("не хочу жити", "uk", "не хочу жити"),
        ("искам да умра", "bg", "искам да умра"),
        ("أريد أن أموت", "ar", "أريد أن أموت"),
        ("İstanbul'da", "sr", None),
    ],
)
def test_words_of_danger_are_found_in_either_script(
    text: str, language: str, found: str | None
) -> None:
    assert danger_in(text, [language]) == found


@pytest.mark.parametrize("language", words.languages())
def test_each_language_brings_beginnings_and_words_of_danger(language: str) -> None:
    brought = chat_words(language)
    assert len(brought.beginnings) == len(chat_words("en").beginnings)
    # Never a whole answer.
    assert all(not one.rstrip().endswith((".", "!", "?")) for one in brought.beginnings)
    assert len(brought.danger) >= 20
    for word in brought.danger:
        assert danger_in(word, [language]) is not None, word
