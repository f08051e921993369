"""Each key that code asks a folder of words for is there, and each key there is asked for.

That no letter and no prompt is left unused is in `test_complete.py`, and the page of a child in
`test_child.py`. Here is what code asks for, and what a written conversation needs.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

import app.child
from app import words
from app.calls.sentences import Sentence
from app.words.chats import ChatWords, chat_words
from tests.support.program import sources

pytestmark = pytest.mark.whole

SCRIPTS = Path(app.child.__file__).parent / "source"
# What asks for a letter: the section if it is always the same, and where its key stands.
ASKS = {
    "letter": (None, 2),
    "speak": ("duty_phone", 1),
    "english": ("agency_refusal", 0),
    "refusal": ("agency_refusal", 1),
    "_say": ("duty_phone", 1),
    "to_counsellor": ("duty_text", 1),
}
SECTIONS = {"letter", "letters", "code_words"}


@cache
def _calls() -> list[tuple[str, list[object]]]:
    """Return the calls that may ask, by the name of what is called, with their plain values."""
    return list(_found())


def _found() -> Iterator[tuple[str, list[object]]]:
    for path in sources.having(*ASKS, *SECTIONS):
        for node in sources.nodes(path):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                yield name, [getattr(one, "value", None) for one in node.args]


def test_each_letter_that_code_asks_for_is_there() -> None:
    english = words.words_of("en")
    assert english is not None
    asked = set()
    for name, given in _calls():
        if name in ASKS:
            section, place = ASKS[name]
            named = section or (given[1] if len(given) > 1 else None)
            key = given[place] if len(given) > place else None
            if isinstance(named, str) and isinstance(key, str):
                asked.add((named, key))
    assert len({section for section, _key in asked}) >= 5
    assert {one for one in asked if one[1] not in english.letters.get(one[0], {})} == set()


def test_each_section_of_letters_is_asked_for_and_no_other() -> None:
    english = words.words_of("en")
    assert english is not None
    asked = {given[1] for name, given in _calls() if name in SECTIONS and len(given) > 1}
    asked |= {section for section, _place in ASKS.values()}
    assert {one for one in asked if isinstance(one, str)} == set(english.letters)


def test_each_text_that_the_page_of_a_child_asks_for_is_there() -> None:
    texts = words.child_texts("en")["script"]
    asked = set()
    for path in SCRIPTS.glob("*.js"):
        for call in re.findall(r"\bsay\(([^;]*)", path.read_text()):
            # The key, or the keys of a choice; what is filled in stands in braces after it.
            key = call.split(", {", 1)[0].split(")", 1)[0]
            asked |= set(re.findall(r'(?:^|[?:]\s*)"(\w+)"', key))
    assert len(asked) > 20
    assert asked <= set(texts)
    listed = re.search(r"SENTENCES = \[([^\]]*)\]", (SCRIPTS / "log.js").read_text())
    assert listed
    told = set(re.findall(r'"(\w+)"', listed[1]))
    assert told
    assert told <= set(texts) & set(Sentence)


@pytest.mark.parametrize("language", words.languages())
def test_each_language_brings_the_words_of_conversations_and_no_others(language: str) -> None:
    text = (words.FOLDER / language / "chats.yaml").read_text("utf-8")
    read = yaml.load(text, Loader=words.LOADER)
    assert set(read) == set(ChatWords._fields)
    for name, said in read.items():
        assert said, name
        assert all(isinstance(one, str) and one == one.strip() != "" for one in said), name
        assert len(set(said)) == len(said), name
    assert chat_words(language) == ChatWords(tuple(read["beginnings"]), tuple(read["danger"]))


def test_each_kind_of_the_words_of_conversations_is_used() -> None:
    code = "\n".join(text for path, text in sources.texts().items() if path.parent != Path("words"))
    assert [one for one in ChatWords._fields if not re.search(rf"\)\.{one}\b", code)] == []
