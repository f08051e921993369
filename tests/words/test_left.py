"""What finds English and codes in a page finds them beside words that were translated, too."""

from tests.support.long_words import longer
from tests.support.pages.left import codes_in, hidden_english, in_english

LABEL = longer("Source of the form: ")


def test_english_is_found_behind_a_label_that_was_translated() -> None:
    left = f"{LABEL}Yearly form of notifications"
    assert in_english([LABEL, left, longer("Write to %(name)s today")]) == {left}


def test_what_is_filled_in_is_no_english() -> None:
    named = longer("Kept by %(name)s: %(agency)s") % {"name": "vera", "agency": "Plavi telefon"}
    assert in_english([named]) == set()
    assert codes_in([named]) == set()


def test_plain_ascii_codes_are_reported() -> None:
    label = longer("found by")
    codes = [f"{label}: recent", f"{label}: volume.all = volume.answered", f"{label}: turned_away"]
    assert codes_in([label, *codes, "csv", "vera@helpline.example"]) == set(codes)


def test_english_that_says_that_it_is_english_is_found_unless_it_is_data() -> None:
    html = """<p>Zdravo</p><span lang="en">Yearly form<i>of notifications</i></span>
    <p lang="en" title="Said on hover"><b lang="sr">Ovo je srpski.</b> English <code>id</code></p>
    <q lang="en">Hi, this is Plavi telefon.</q><q lang="en">Hi, this is {line}.</q>
    <span lang="en">Laughter on the line</span><span lang="en">0-2</span>"""
    assert hidden_english(html) == {"Yearly form", "of notifications", "Said on hover"}
