"""What the page of a child says: complete in some languages, in English where a text is missing."""

import re
from pathlib import Path

import pytest

import app.child
from app import words
from app.child import page

PAGE = Path(app.child.__file__).parent
# What was complete stays so. A language that is added counts by itself.
COMPLETE = {"ar", "bg", "bs", "en", "hr", "mk", "ro", "sq", "sr", "sr-Cyrl", "uk"}


def test_which_languages_say_everything_to_a_child() -> None:
    assert set(words.complete_for_children()) >= COMPLETE


@pytest.mark.parametrize("language", [one for one in words.complete_for_children() if one != "en"])
def test_nothing_is_left_in_english(language: str) -> None:
    english, texts = words.child_texts("en"), words.child_texts(language)
    same = [key for section, of in english.items() for key in of if of[key] == texts[section][key]]
    assert same == []


def test_each_text_is_used_and_no_word_stands_in_a_template() -> None:
    templates = "".join(path.read_text() for path in (PAGE / "templates").glob("*.html"))
    scripts = "".join(path.read_text() for path in (PAGE / "source").glob("*.js"))
    texts = words.child_texts("en")
    shown = {"title", *re.findall(r"\b(?:say|plain)\.(\w+)", templates)} | {
        f"rate_{n}" for n in range(1, 6)
    }
    assert shown == set(texts["page"])
    quoted = set(re.findall(r'"(\w+)"', scripts)) | set(re.findall(r'\|\| "(\w+)"', scripts))
    assert set(texts["script"]) <= quoted
    plain = re.sub(r"\{[{%#].*?[}%#]\}|<style>.*?</style>|<[^>]*>", " ", templates, flags=re.S)
    assert plain.split() == []


def test_a_text_that_is_missing_is_said_in_english(folder: Path) -> None:
    half = 'page:\n  heading: "Írj nekünk"\n'
    (folder / "bs/child.yaml").write_text(half)
    words.forget()
    words.check()
    texts = words.child_texts("bs")
    assert texts["page"]["heading"] == "Írj nekünk"
    assert texts["page"]["send"] == "Send"
    assert "page.send" in words.missing_for_children("bs")
    assert "page.heading" not in words.missing_for_children("bs")
    marked = page.marked(texts["page"], "bs")
    assert marked["heading"] == "Írj nekünk"
    assert marked["send"] == '<span lang="en" dir="ltr">Send</span>', "it is English, and says so"
    (folder / "bs/child.yaml").unlink()
    words.forget()
    assert words.child_texts("bs") == words.child_texts("en")
    english = words.child_texts("en")["page"]
    assert page.marked(english, "bs") == english, "the whole page is in English"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("page:\n  hedding: Pišite\n", "page.hedding is not in English"),
        ('page:\n  call: "Nazovi"\n', "page.call must hold exactly these placeholders: {number}"),
        ('page:\n  send: ""\n', "page.send is empty"),
        ("page: Zdravo\n", "page must be of the kind"),
        ("title: Zdravo\n", "title is not in English"),
    ],
)
def test_a_wrong_text_stops_the_start(folder: Path, text: str, said: str) -> None:
    (folder / "bs/child.yaml").write_text(text)
    words.forget()
    with pytest.raises(words.BadWords, match=r"app/words/bs/child\.yaml") as refused:
        words.check()
    assert re.search(said, str(refused.value))
