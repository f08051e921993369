"""The shipped definitions are read in every language; a country's own files come first."""

import pytest

from app import words
from app.dashboard import page_words
from app.definitions.trees import label_in
from app.words import catalogues
from app.words.catalogues import Kind

TRANSLATED = [one for one in catalogues.translated_languages(Kind.DEFINITIONS) if one != "en"]


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_label_is_translated_and_no_other_stands_there(language: str) -> None:
    catalogue = page_words.read(language, Kind.DEFINITIONS)
    wanted = {m.id for m in page_words.labels() if m.id}
    assert len(wanted) > 400
    assert {m.id for m in catalogue if m.id} == wanted
    assert [m.id for m in catalogue if m.id and not catalogues.is_translated(m.string)] == []


def test_every_language_with_pages_has_labels() -> None:
    read = set(catalogues.translated_languages(Kind.PAGES))
    # Serbian stands in the files, and its second script is made of it.
    assert read - {"sr", "sr-Cyrl"} == {"en", *TRANSLATED}


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_label_is_read_in_the_language(language: str) -> None:
    girl = {"en": "Girl", "sr": "Devojčica"}
    assert label_in(girl, language) not in girl.values()
    assert label_in({**girl, language: "own"}, language) == "own"


def test_a_label_that_no_catalogue_knows_is_read_in_its_first_language() -> None:
    own = {"en": "A label of one country", "sr": "Naziv jedne države"}
    assert {label_in(own, one) for one in TRANSLATED} == {"A label of one country"}
    assert label_in({"mt": "Tifla"}, "en") == "Tifla"
    assert words.known("mt") == "en"
