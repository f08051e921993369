"""Serbian in Cyrillic letters is made of the Serbian that is written: names and keys stay."""

import re

import pytest

from app import words
from app.definitions.trees import label_in
from app.words import catalogues, pages
from app.words.catalogues import CatalogueKind
from tests.support.profile import nightly

CYRILLIC = "sr-Cyrl"


@pytest.mark.parametrize(
    ("text", "source", "turned"),
    [
        ("Ljubav, njiva i džep", "Love", "Љубав, њива и џеп"),
        ("Njegova", "His", "Његова"),
        (
            "%(name)s ima %(num)s poziva",
            "%(name)s has %(num)s calls",
            "%(name)s има %(num)s позива",
        ),
        ("Zdravo, ovde {line}.", "Hi, this is {line}.", "Здраво, овде {line}."),
        ("Pošalji kao CSV ili .zip", "Send as CSV or .zip", "Пошаљи као CSV или .zip"),
        (
            "Dodajte ga sa `helpline staff add`",
            "Use `helpline staff add`",
            "Додајте га са `helpline staff add`",
        ),
        ("imao/la", "had", "имао/ла"),
        ("Sačuvaj plan", "Save the plan", "Сачувај план"),
        ("sektor: primero", "sector: primero", "сектор: primero"),
        ("EEE d. MMM HH:mm", "EEE dd MMM HH:mm", "EEE d. MMM HH:mm"),
        ("injekcija", "injection", "инјекција"),
        (
            "Otvori <strong>ovde</strong> ili https://a.example/x",
            "Open",
            "Отвори <strong>овде</strong> или https://a.example/x",
        ),
    ],
)
def test_a_text_is_turned_letter_by_letter(text: str, source: str, turned: str) -> None:
    assert words.in_script(CYRILLIC, text, source) == turned


@nightly
def test_every_word_of_the_pages_is_in_cyrillic_or_a_name() -> None:
    """By day what callers and agencies hear and read is."""
    serbian, cyrillic = (catalogues.compiled(one, CatalogueKind.PAGES) for one in ("sr", CYRILLIC))
    left = set()
    for message in catalogues.shipped("sr", CatalogueKind.PAGES) or ():
        if isinstance(message.id, str) and message.id:
            plain = re.sub(r"%\(\w+\)s|<[^>]+>|`[^`]*`", " ", cyrillic.gettext(message.id))
            # Letters that only Serbian has were turned, whatever stands beside them.
            left |= set(re.findall(r"\w*[čćžšđ]\w*", plain))
            assert serbian.gettext(message.id)
    assert left == set()


def test_every_text_for_callers_and_agencies_is_turned() -> None:
    turned = words.words_of(CYRILLIC)
    assert turned is not None
    latin = [
        text
        for text in [*turned.prompts.values(), *_texts(turned.letters)]
        if re.search(r"[a-zčćžšđ]{4,}", re.sub(r"\{\w+\}", "", text))
    ]
    assert latin == []
    assert turned.about.locale == "sr_Cyrl"
    assert turned.about.voice == words.about("sr").voice


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    return [text for inner in value for text in _texts(inner)] if isinstance(value, list) else []


def test_cyrillic_is_a_written_language_and_not_a_spoken_one() -> None:
    assert CYRILLIC in words.written()
    assert CYRILLIC not in words.languages()
    assert CYRILLIC in pages.page_languages()


def test_a_label_of_a_form_is_turned() -> None:
    assert label_in({"en": "Girl", "sr": "Devojčica"}, CYRILLIC) == "Девојчица"
