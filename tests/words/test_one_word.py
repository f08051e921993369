"""What a button says, every sentence about it says: one word for one thing, in each language."""

import re
import unicodedata
from typing import Any

import pytest

from app.words.catalogues import CatalogueKind
from scripts import page_words
from tests.support.profile import by_day

# What the word for *import* begins with, and no word for what a browser downloads or uploads. A
# language that is added is checked once it stands here.
_IMPORT = {
    "ar": "ست[يو]ر",
    "bg": "импорт",
    "bs": "uv(oz|ez|est)",
    "hr": "uv(oz|ez|est)",
    "mk": "ув(оз|ез|ест)",
    "ro": "import",
    "sq": "import",
    "sr": "uv(oz|ez|est)",
    "uk": "імпорт",
}


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


@pytest.mark.parametrize("language", by_day(_IMPORT, 3))
def test_to_import_is_one_word_on_the_pages(language: str) -> None:
    sentences = _about_imports(language)
    assert len(sentences) > 20
    other = {
        said: forms
        for said, forms in sentences.items()
        if not all(re.search(_IMPORT[language], form.lower()) for form in forms)
    }
    assert other == {}
