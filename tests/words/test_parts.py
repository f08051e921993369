"""A text in another language than its page says so, and a label that falls back knows which."""

from app.dashboard.templating import templates
from app.definitions.trees import label_in
from app.errors import Message, Refusal
from app.referrals.spoken import refusal_words
from app.words.pages import list_words, message_words, spoken_in
from app.words.parts import lang_of, own_name, part


def test_a_text_in_the_language_of_the_page_is_not_marked() -> None:
    assert part("Ime", "en") == "Ime"
    assert lang_of("Ime") == ""
    with spoken_in("sr"):
        assert part("Ime", "sr") == "Ime"


def test_a_text_in_another_language_says_which_and_in_which_direction() -> None:
    assert part("Ime & prezime", "sr") == '<span lang="sr" dir="ltr">Ime &amp; prezime</span>'
    assert lang_of("اسم", "ar") == ' lang="ar" dir="rtl"'
    with spoken_in("ar"):
        assert part("Name", "en") == '<span lang="en" dir="ltr">Name</span>'


def test_the_parts_of_a_list_have_the_sign_of_the_language_between_them() -> None:
    several = Message("one of: %(known)s", known=["a", "b"])
    found = {}
    for language in ("en", "sr", "ar"):
        with spoken_in(language):
            found[language] = (list_words(["a", "b"]), message_words(several).partition(": ")[2])
            shown = templates.env.from_string("{{ ['<a>', 'b']|listed }}").render()
            assert shown == f"&lt;a&gt;{'، ' if language == 'ar' else ', '}b"
    assert found == {"en": ("a, b", "a, b"), "sr": ("a, b", "a, b"), "ar": ("a، b", "a، b")}


def test_a_label_that_is_not_translated_keeps_the_language_that_it_has() -> None:
    label = label_in({"en": "No catalogue holds this label"}, "sr")
    assert label == "No catalogue holds this label"
    with spoken_in("sr"):
        assert part(label, "sr").startswith('<span lang="en" dir="ltr">No catalogue')
        assert part(label_in({"en": "A", "sr": "B"}, "sr"), "sr") == "B"
    assert part(label, "sr") == label, "the page is English, too"


def test_a_language_is_called_as_its_speakers_call_it() -> None:
    assert [own_name(one) for one in ("en", "sr", "de")] == ["English", "Srpski", "German"]


def test_a_part_is_held_against_the_language_of_its_page() -> None:
    """An agency reads a page in its own language, whatever its browser prefers."""
    label = label_in({"sr": "Ime"}, "mk")
    with spoken_in("sr"):
        assert part(label, page="mk") == '<span lang="sr" dir="ltr">Ime</span>'
        assert part("Име", page="mk") == "Име"
    refused = refusal_words("mk", Refusal("Only in English."))
    assert part(refused, page="mk") == '<span lang="en" dir="ltr">Only in English.</span>'
    assert part(refused, page="en") == refused
