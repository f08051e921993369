"""What finds English and codes in a page finds them beside words that were translated, too."""

from tests.support.long_words import longer
from tests.support.pages.left import codes_in, in_english

LABEL = longer("Source of the form: ")


def test_english_is_found_behind_a_label_that_was_translated() -> None:
    left = f"{LABEL}Yearly form of notifications"
    assert in_english([LABEL, left, longer("Write to %(name)s today")]) == {left}


def test_what_is_filled_in_is_no_english() -> None:
    named = longer("Kept by %(name)s: %(agency)s") % {"name": "vera", "agency": "Plavi telefon"}
    assert in_english([named]) == set()
    assert codes_in([named]) == set()


def test_a_word_without_an_accent_is_a_code_of_an_enum_or_not() -> None:
    label = longer("found by")
    codes = [f"{label}: recent", f"{label}: volume.all = volume.answered", f"{label}: turned_away"]
    assert codes_in([label, *codes, "csv", "vera@helpline.example"]) == set(codes)
