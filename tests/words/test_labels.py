"""The shipped definitions are read in every language; a country's own files come first."""

import pytest

from app import words
from app.definitions import library
from app.definitions.trees import label_in
from app.words import catalogues
from app.words.catalogues import CatalogueKind
from scripts import page_words

pytestmark = pytest.mark.whole

# The shipped definitions are written in Serbian, too: see below.
WRITTEN = ("en", "sr", "sr-Cyrl")
ALL = catalogues.translated_languages(CatalogueKind.DEFINITIONS)
TRANSLATED = [one for one in ALL if one not in WRITTEN]


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_label_is_translated_and_no_other_stands_there(language: str) -> None:
    catalogue = page_words.read(language, CatalogueKind.DEFINITIONS)
    wanted = {m.id for m in page_words.labels() if m.id}
    assert len(wanted) > 400
    assert {m.id for m in catalogue if m.id} == wanted
    assert [m.id for m in catalogue if m.id and not catalogues.is_translated(m.string)] == []


def test_every_language_with_pages_has_labels() -> None:
    assert set(ALL) == set(catalogues.translated_languages(CatalogueKind.PAGES))
    assert len(TRANSLATED) >= 8


def test_the_catalogue_of_serbian_is_what_the_definitions_write() -> None:
    made = page_words.updated("sr", CatalogueKind.DEFINITIONS)
    assert made == (words.FOLDER / "sr/definitions.po").read_bytes()
    assert not [m for m in page_words.labels_written_in("hr") if m.id]
    kept = page_words.read("sr", CatalogueKind.DEFINITIONS)
    for label in page_words.shipped_labels():
        one = kept.get(label["en"], label["sr"]) or kept.get(label["en"])
        assert one is not None
        assert one.string == label["sr"]


@pytest.mark.parametrize("language", [one for one in words.languages() if one != "en"])
def test_the_labels_of_a_language_can_be_imported_as_they_are_exported(language: str) -> None:
    done = catalogues.check(
        language,
        CatalogueKind.DEFINITIONS,
        catalogues.exported(language, CatalogueKind.DEFINITIONS),
    )
    assert done.translated == done.messages


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_label_is_read_in_the_language(language: str) -> None:
    girl = {"en": "Girl", "sr": "Devojčica"}
    assert label_in(girl, language) not in girl.values()
    assert label_in({**girl, language: "own"}, language) == "own"


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("sr", ["Beograd", "Severnobački okrug", "Šumadija i zapadna Srbija", "Inostranstvo"]),
        ("sr-Cyrl", ["Београд", "Севернобачки округ", "Шумадија и западна Србија", "Иностранство"]),
        ("hr", ["Beograd", "Sjevernobački okrug", "Šumadija i zapadna Srbija", "Inozemstvo"]),
        (
            "sq",
            [
                "Beogradi",
                "Rrethi i Baçkës Veriore",
                "Shumadia dhe Serbia Perëndimore",
                "Jashtë vendit",
            ],
        ),
        ("ar", ["بلغراد", "مقاطعة باتشكا الشمالية", "شوماديا وغرب صربيا", "خارج البلاد"]),
    ],
)
def test_places_have_the_names_of_the_readers_language(language: str, names: list[str]) -> None:
    places = library.load(None).places.choices()
    shown = [label_in(places[one].label, language) for one in ("RS-BG", "RS-01", "RS-SZ", "abroad")]
    assert shown == names


def test_a_place_with_its_name_in_both_alphabets_is_turned() -> None:
    places = library.load(None).places.choices()
    turned = [label_in(places[one].label, "sr-Cyrl") for one in ("RS-VO", "RS-KM")]
    assert turned == ["Војводина", "Косово и Метохија"]


def test_a_label_that_no_catalogue_knows_is_read_in_its_first_language() -> None:
    own = {"en": "A label of one country", "sr": "Naziv jedne države"}
    assert {label_in(own, one) for one in TRANSLATED} == {"A label of one country"}
    assert label_in({"mt": "Tifla"}, "en") == "Tifla"
    assert words.known("mt") == "en"
