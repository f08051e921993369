"""What a button says, every sentence about it says: one word for one thing, in each language."""

import re
import unicodedata
from typing import Any

import pytest
import yaml

from app import words
from app.words import pages
from app.words.catalogues import CatalogueKind
from scripts import page_words
from tests.support.profile import by_day

LANGUAGES = [
    one for one in words.languages() if one != words.SOURCE and one in pages.page_languages()
]


def _word_of(language: str) -> str:
    """Return what the word for *import* begins with, as the folder of a language says."""
    about = yaml.safe_load((words.FOLDER / language / "language.yaml").read_text("utf-8"))
    return str(about["import"])


def _forms(message: Any) -> tuple[str, ...]:
    """Return the forms of a message, without the marks that stand for vowels in Arabic."""
    every = (message,) if isinstance(message, str) else tuple(message)
    return tuple(
        "".join(one for one in form if unicodedata.category(one) != "Mn") for form in every
    )


def _about_imports(language: str) -> dict[str, tuple[str, ...]]:
    """Return what each English sentence about an import is in a language."""
    catalogue = page_words.read(language, CatalogueKind.PAGES)
    every = {_forms(m.id)[0]: _forms(m.string) for m in catalogue if m.id}
    return {said: forms for said, forms in every.items() if re.search(r"(?i)\bimport(?!an)", said)}


@pytest.mark.parametrize("language", by_day(LANGUAGES, 3))
def test_to_import_is_one_word_on_the_pages(language: str) -> None:
    word, sentences = _word_of(language), _about_imports(language)
    assert len(sentences) > 20
    assert not re.search(word, ""), "it would be found in every sentence"
    other = {
        said: forms
        for said, forms in sentences.items()
        if not all(re.search(word, form.lower()) for form in forms)
    }
    assert other == {}
